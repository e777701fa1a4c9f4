"""Where a study lies: a folder, or an address such as s3://bucket/study, read in place and never copied as a whole."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from study.errors import SpecError


@dataclass(frozen=True)
class Location:
    """A study's folder on some file system.

    Attributes:
        given: the folder or address in the user's words.
        root: its path there.
        filesystem: fsspec's; None for a local folder.
    """

    given: str
    root: str
    filesystem: Any

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.root).name or self.root

    def path_of(self, *parts: str) -> str:
        """The path of a file or folder below it."""
        return "/".join([self.root.rstrip("/"), *parts])

    def read(self, path: str) -> bytes:
        """A file's bytes, from its whole path.

        Raises:
            FileNotFoundError, NotADirectoryError: no such file.
        """
        if self.filesystem is None:
            return Path(path).read_bytes()
        return bytes(self.filesystem.cat_file(path))

    def files(self, ending: str, *parts: str) -> list[str]:
        """The paths of a folder's whole files with an ending, sorted; a name that begins with a dot is not whole."""
        folder = self.path_of(*parts)
        if self.filesystem is None:
            return sorted(str(path) for path in Path(folder).glob(f"[!.]*{ending}"))
        if not self.filesystem.isdir(folder):
            return []
        listed = [str(path) for path in self.filesystem.ls(folder, detail=False)]
        return sorted(
            path for path in listed if path.endswith(ending) and not path.rsplit("/", 1)[-1].startswith(".")
        )

    def open(self, path: str) -> AbstractContextManager[Any]:
        """What pyarrow reads a file from: its path, or an open file."""
        return nullcontext(path) if self.filesystem is None else self.filesystem.open(path, "rb")

    @property
    def folder(self) -> Path:
        """The folder on this machine.

        Raises:
            SpecError: it is not on this machine.
        """
        if self.filesystem is not None:
            raise SpecError(
                f"{self.given} is not on this machine: name a folder for what is written, or copy the study first"
            )
        return Path(self.root)


def locate(given: str | Path) -> Location:
    """Where a folder or an address points; whether a study lies there is not looked up.

    Raises:
        SpecError: a scheme that this installation cannot read.
    """
    text = str(given)
    if "://" not in text:
        return Location(text, text, None)
    import fsspec

    try:
        filesystem, root = fsspec.core.url_to_fs(text)
    except (ValueError, ImportError) as error:
        raise SpecError(
            f"{text} cannot be read here ({error}): give a folder, or install what fsspec needs for it"
        ) from error
    if "file" in filesystem.protocol:
        return Location(text, str(root), None)
    return Location(text, str(root), filesystem)
