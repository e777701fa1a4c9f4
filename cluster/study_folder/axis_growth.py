"""Whether a spec is another one with longer axes: the one way in which a study may change."""

from collections.abc import Mapping, Sequence
from typing import Any


def axis_growth(old: Mapping[str, Any], new: Mapping[str, Any], axes: Sequence[str]) -> list[str] | None:
    """What the axes of ``new`` add, as ``depth by 3``; None where anything else differs or is lost."""
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
            grown.append(f"{name} by {', '.join(str(value) for value in added)}")
    return grown
