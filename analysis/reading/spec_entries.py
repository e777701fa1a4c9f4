"""A spec as flat entries: a key path and its value, in words."""

from typing import Any


def leaves(value: Any, place: str = "") -> dict[str, Any]:
    """A spec as one entry per leaf, named by its path; a list is a leaf."""
    if not isinstance(value, dict):
        return {place: value}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found.update(leaves(inner, f"{place}.{name}" if place else str(name)))
    return found


def shown(value: Any) -> str:
    """A leaf in words."""
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value)
    if isinstance(value, dict):
        return " ".join(f"{name}={shown(each)}" for name, each in value.items())
    return str(value).replace("\n", " ⏎ ")
