"""What the cluster needs of a store: the artifacts of ``study.artifacts.Store``, small texts beside them, and a check.

A store is shared by all processes of a study, on every node, and perhaps by several studies. Whoever publishes first
wins, and nothing that was accepted is changed. A second implementation is one parameter of
tests/cluster/test_store_contract.py and one line of ``open_store``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from study import artifacts


@dataclass(frozen=True)
class Damage:
    """Something in a store that is not as it was accepted.

    Attributes:
        path: where.
        what: what is wrong with it, in words.
        whole: what has to be moved aside, so that the store is sound again and the artifact counts as missing.
    """

    path: Path
    what: str
    whole: Path


@dataclass
class StoreCheck:
    """What a check of all artifacts looked at, and what it found.

    Attributes:
        leftovers: bytes of writers that were killed or came second; nobody reads them.
    """

    artifacts: int = 0
    files: int = 0
    bytes: int = 0
    damages: list[Damage] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)


class Store(artifacts.Store, Protocol):
    """A store that every process of a study opens for itself."""

    @property
    def location(self) -> str:
        """What ``open_store`` opens it by, from any working folder of any node."""
        ...

    def prepare(self) -> None:
        """Makes the place and proves that it can be written.

        Raises:
            PreflightError: it cannot, or its disk is full.
            OSError: storage does not answer; may be called again.
        """
        ...

    def check(self) -> StoreCheck:
        """Reads every artifact and compares it with its record. Changes nothing; writers may be at work."""
        ...

    def read_text(self, name: str) -> str | None:
        """A text beside the artifacts; None where there is none.

        Args:
            name: folders and a file name, separated by ``/``.
        """
        ...

    def create_text(self, name: str, text: str) -> bool:
        """Keeps a text, whole or not at all; False where one of that name is kept already."""
        ...

    def text_names(self, folder: str) -> Iterator[str]:
        """The names of the texts in a folder, in order."""
        ...
