"""What two specs differ in, and whether the one is the other with longer axes."""

from collections.abc import Mapping, Sequence
from typing import Any


def differences(old: Any, new: Any, place: str = "") -> list[str]:
    """``place: old → new`` for each leaf that differs; lists are leaves."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        lines = []
        for name in dict.fromkeys([*old, *new]):
            inner = f"{place}.{name}" if place else str(name)
            lines += differences(old.get(name), new.get(name), inner)
        return lines
    return [] if old == new else [f"{place}: {old} → {new}"]


def axis_growth(old: Mapping[str, Any], new: Mapping[str, Any], axes: Sequence[str]) -> list[str] | None:
    """What the axes of ``new`` add to those of ``old``; None where anything else differs or is lost."""
    grown = []
    for name in dict.fromkeys([*old, *new]):
        before, now = old.get(name), new.get(name)
        if before == now:
            continue
        if name not in axes or not isinstance(before, list) or not isinstance(now, list):
            return None
        if any(value not in now for value in before):
            return None
        added = [value for value in now if value not in before]
        if added:
            grown.append(f"{name} grows by {', '.join(str(value) for value in added)}")
    return grown
