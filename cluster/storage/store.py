"""What the cluster needs of a store: ``study.artifacts.address.Store``, small texts beside it, and a check.

A store is shared by all processes of a study, on every node, and perhaps by several studies. Whoever publishes first
wins, and nothing that was accepted is changed. A second implementation is one parameter of
tests/cluster/storage/test_store_contract.py and one line of ``open_store``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Protocol

from study.artifacts import address as artifacts

QUARANTINE = "quarantine"
"""Where what is wrong is moved to, within the store or the study's folder."""


@dataclass(frozen=True)
class Damage:
    """Something in a store that is not as it was accepted.

    Attributes:
        path: where: a file, or the name of an object within the store.
        what: what is wrong with it, in words.
        whole: what has to be moved aside, so that the store is sound again and the artifact counts as missing.
    """

    path: PurePath
    what: str
    whole: PurePath


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
    leftovers: list[PurePath] = field(default_factory=list)


class Store(artifacts.Store, Protocol):
    """A store that every process of a study opens for itself."""

    @property
    def location(self) -> str:
        """What ``open_store`` opens it by, from any working folder of any node."""
        ...

    @property
    def disk(self) -> Path:
        """A folder of this machine, on the disk that fills when artifacts are written or read."""
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

    def put_aside(self, whole: PurePath, stamp: str) -> PurePath | None:
        """Moves what ``check`` found into ``QUARANTINE/STAMP``, so that it counts as missing; None where it is gone.

        Args:
            whole: of a damage, or a leftover, as ``check`` names it; or the name of a text in a bucket.
        """
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
