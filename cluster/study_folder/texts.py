"""Small texts in a folder, by name: what a worker writes into a run's folders, wherever they lie."""

from pathlib import Path
from typing import Protocol

from study.artifacts.atomic_write import write_bytes


class Texts(Protocol):
    """A folder of small texts."""

    def read(self, name: str) -> str | None:
        """A text; None where there is none."""
        ...

    def write(self, name: str, text: str) -> None:
        """Replaces a text whole, or begins it; it need not outlast a power cut."""
        ...

    def append(self, name: str, text: str) -> None:
        """Adds to a text by one call, or begins it."""
        ...


class LocalTexts:
    """In a folder that this process sees."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> str | None:
        """See ``Texts.read``."""
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        """See ``Texts.write``."""
        write_bytes(self._folder / name, text.encode(), durable=False)

    def append(self, name: str, text: str) -> None:
        """See ``Texts.append``."""
        with (self._folder / name).open("a", encoding="utf-8") as handle:
            handle.write(text)
