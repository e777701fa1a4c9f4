"""Canonical bytes of a value, the content key made of them, and the SHA-256 of a file. Standard library only.

Two values have one key exactly when everything that could change a number is equal, so the encoding
is typed and closed: it raises on whatever it does not know, instead of guessing (``repr`` of an object
with an address in it would be a key that never matches again). Floats are written in hexadecimal, so
no digit is lost; a dataclass or a pydantic model carries its class name; mappings are sorted.

A field that is execution (a path, a batch size of an evaluation) and not identity never gets here: the
object that owns it leaves it out by naming what identifies it in an ``identity()`` method.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NUMERICS = 4
"""Part of every key. Raise it when a change of code alters the numbers of an unchanged spec."""

KEY_CHARACTERS = 32  # 128 bits


def canonical(value: Any) -> Any:
    """A JSON value that is equal for two values exactly when they are the same identity.

    Raises:
        TypeError: for a type that has no canonical form.
        ValueError: for a float that is not a number, and a pydantic model that validation would change.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in a key: expected a finite number")
        return {"float": (value + 0.0).hex()}  # -0.0 is 0.0
    if isinstance(value, bytes):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, tuple | list):
        return [canonical(item) for item in value]
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError(f"mapping with keys other than strings in a key: {list(value)[:3]}")
        return {"map": [[name, canonical(value[name])] for name in sorted(value)]}
    if hasattr(value, "identity"):
        return {type(value).__name__: canonical(value.identity())}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
    elif hasattr(type(value), "model_fields"):
        names = list(type(value).model_fields)
        _refuse_what_validation_changes(value, names)
    else:
        raise TypeError(
            f"a {type(value).__name__} cannot be part of a key: expected None, bool, int, float, str, "
            "bytes, a list, a mapping, a dataclass, a pydantic model or an object with identity()"
        )
    return {type(value).__name__: [[name, canonical(getattr(value, name))] for name in names]}


def _refuse_what_validation_changes(value: Any, names: list[str]) -> None:
    """A spec is written down, read again and validated: a value that comes back another has two keys."""
    again = type(value).model_validate({name: getattr(value, name) for name in names})
    if repr(again) != repr(value):
        raise ValueError(
            f"{value!r} was made without validation, which makes it {again!r}: its key would change when the spec "
            f"is read again; make it with {type(value).__name__}.model_validate(…)"
        )


def key(value: Any) -> str:
    """The content key of a value: 128 bits of SHA-256 over its canonical form, as 32 hex digits."""
    text = json.dumps([NUMERICS, canonical(value)], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_CHARACTERS]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits; the file is read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one named stream: a pure function of the study's seed and the purpose.

    Every draw in the product comes from such a stream, so none depends on what ran before it.
    """
    text = json.dumps(["seed", seed, *purpose], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
