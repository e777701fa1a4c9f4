"""A spec as flat entries, one for each leaf, named by its path; and the entries in which specs differ."""

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "–"


def entries(value: Any, path: str = "") -> dict[str, Any]:
    """Path → leaf, such as ``relearn.learning_rate``; a list is a leaf, and so is an empty mapping."""
    if not isinstance(value, Mapping) or (path and not value):
        return {path: value}
    found: dict[str, Any] = {}
    for name, inner in value.items():
        found.update(entries(inner, f"{path}.{name}" if path else str(name)))
    return found


def differences(*specs: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """A path and the leaf of each spec, in words, wherever not all are equal; ``ABSENT`` where one has no such leaf."""
    flat = [entries(spec) for spec in specs]
    for path in dict.fromkeys(path for each in flat for path in each):
        if any(path not in each or each[path] != flat[0][path] for each in flat):
            yield path, *(in_words(each[path]) if path in each else ABSENT for each in flat)


def in_words(value: Any) -> str:
    """A leaf on one line."""
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(in_words(each) for each in value)
    if isinstance(value, Mapping):
        return " ".join(f"{name}={in_words(each)}" for name, each in value.items()) or "{}"
    return str(value).replace("\n", " ⏎ ")
