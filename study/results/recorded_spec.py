"""What study.json says, read with care: it may be edited by hand, or come from somebody else.

Specs that older versions recorded get the keys of this one: a key that was renamed since keeps its value.
"""

import json
from collections.abc import Mapping
from typing import Any

RENAMED = {
    "time_limit": "time_limit_seconds",
    "memory_limit": "memory_limit_gb",
    "patience": "patience_seconds",
    "checkpoint_every": "checkpoint_every_steps",
}
"""Keys of ``execution``: the old one, and what it is called now."""


def read_study(content: bytes) -> dict[str, Any]:
    """The content of a study.json, its spec under current keys.

    Raises:
        ValueError: it is no JSON in UTF-8, has a key twice, or a value that is no number (NaN).
    """
    found = json.loads(
        content.decode("utf-8-sig"), parse_constant=_no_number, object_pairs_hook=_each_key_once
    )
    if not isinstance(found, dict):
        raise ValueError(f"expected a mapping, got a {type(found).__name__}")
    return {**found, "spec": with_current_keys(found.get("spec", {}))}


def with_current_keys(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded spec as this version would have written it."""
    execution = {RENAMED.get(name, name): value for name, value in spec.get("execution", {}).items()}
    return {**spec, **({"execution": execution} if execution else {})}


def _no_number(name: str) -> float:
    if name == "NaN":
        raise ValueError("NaN is no number")
    return float(name)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} stands twice")
        found[name] = value
    return found
