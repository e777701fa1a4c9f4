"""What stages publish, and the small Protocol of the place that keeps it.

An artifact is addressed (trajectory key, step, what) and consists of files and a record. The record is
written last and created exclusively, so that its presence means complete and the first of two writers
wins: work is done at least once, accepted exactly once.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Address:
    """Where an artifact belongs: a function of its identity alone.

    ``what`` is ``weights``, or ``answers-`` and the key of the evaluation, or ``state``: what a trajectory
    that is cut off goes on from, discarded once it has come to its end.
    """

    key: str
    step: int
    what: str

    @classmethod
    def of_weights(cls, key: str, step: int) -> "Address":
        return cls(key, step, "weights")

    @classmethod
    def of_answers(cls, key: str, step: int, evaluation_key: str) -> "Address":
        return cls(key, step, f"answers-{evaluation_key}")

    @classmethod
    def of_state(cls, key: str, step: int) -> "Address":
        return cls(key, step, "state")

    def __str__(self) -> str:
        return f"{self.key}@{self.step}/{self.what}"


def step_of(name: str) -> int | None:
    """The step in the name of a folder; None of a name that no step is written as, such as 007 or ²."""
    return int(name) if re.fullmatch(r"0|[1-9][0-9]{0,17}", name) else None


Record = Mapping[str, Any]


class Store(Protocol):
    """Content-addressed storage."""

    def has(self, address: Address) -> bool:
        """Whether it was accepted."""
        ...

    def addresses(self) -> Iterator[Address]:
        """Everything that was accepted."""
        ...

    def steps(self, key: str, what: str) -> list[int]:
        """The steps at which something of a trajectory was accepted, ascending."""
        ...

    def discard(self, address: Address) -> None:
        """Takes a state away again. Nothing else that was accepted is ever discarded.

        Raises:
            ValueError: the address is not that of a state.
        """
        ...

    def record(self, address: Address) -> Record:
        """What is known about an accepted artifact.

        Raises:
            KeyError: it was not accepted.
            IntegrityError: its record cannot be read.
        """
        ...

    def file(self, address: Address, name: str) -> Path:
        """A local path of one of its files, its hash verified.

        Raises:
            KeyError: it was not accepted, or has no such file.
            IntegrityError: the bytes are not the recorded ones.
        """
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """A fresh folder to write files into before publishing them; gone afterwards."""
        ...

    def publish(self, address: Address, folder: Path, facts: Mapping[str, Any]) -> bool:
        """Makes every file of the folder an artifact; False when another writer was first."""
        ...


WEIGHTS_FILE = "weights.safetensors"

ADAPTER_FILE = "adapter.safetensors"
"""Of a trajectory that trains an adapter, instead of its whole weights."""

STATE_FILE = "state.safetensors"

UPON = "upon"
"""Where the record of an adapter says what it stands upon: the address and the SHA-256 of its parent's file."""
