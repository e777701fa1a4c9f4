"""Specs that older versions recorded, under the keys of this one: a key that was renamed since keeps its value."""

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "time_limit": "time_limit_seconds",
    "memory_limit": "memory_limit_gb",
    "patience": "patience_seconds",
    "checkpoint_every": "checkpoint_every_steps",
}
"""Keys of ``execution``: the old one, and what it is called now."""


def with_current_keys(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded spec as this version would have written it."""
    execution = {RENAMED.get(name, name): value for name, value in spec.get("execution", {}).items()}
    return {**spec, **({"execution": execution} if execution else {})}
