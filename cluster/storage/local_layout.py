"""Where the artifacts of a store in a folder lie.

STORE/artifacts/KEY[:2]/KEY/STEP/WHAT/record.json      the record: complete, and accepted
/ATTEMPT/FILE …    the bytes that it names
"""

from collections.abc import Iterator
from pathlib import Path

from study.artifacts.address import Address, step_of
from study.errors import IntegrityError

RECORD = "record.json"


def home_of(store: Path, address: Address) -> Path:
    """The folder that belongs to an address."""
    return store / "artifacts" / address.key[:2] / address.key / str(address.step) / address.what


def refuse_links_to(path: Path, store: Path) -> None:
    """A store may come from somebody else: what lies behind a link within it is none of its own.

    Raises:
        IntegrityError: a part of the path below the store is a symbolic link.
    """
    if is_behind_link(path, store):
        raise IntegrityError(
            f"{path} is a link or lies behind one, and a store holds none: move it aside with `relearn verify STUDY "
            "--repair`"
        )


def is_behind_link(path: Path, top: Path) -> bool:
    """Whether a path, or a folder between it and ``top``, is a symbolic link."""
    between = (path, *path.parents)
    return any(part.is_symlink() for part in between[: between.index(top)])


def addresses_in(store: Path) -> Iterator[Address]:
    """Of every record, in no particular order."""
    for record in store.glob(f"artifacts/*/*/*/*/{RECORD}"):
        what, key = record.parent, record.parents[2]
        if (step := step_of(record.parents[1].name)) is not None:
            yield Address(key.name, step, what.name)


def strays_in(store: Path) -> Iterator[Path]:
    """What lies where only KEY[:2]/KEY/STEP/WHAT belongs."""
    top = store / "artifacts"
    return iter([top]) if top.is_symlink() else _strays(top, 0)


def _strays(folder: Path, depth: int) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        fits = (
            path.is_dir()
            and not path.is_symlink()
            and (
                depth in (0, 3)
                or (depth == 1 and path.name.startswith(folder.name))
                or (depth == 2 and step_of(path.name) is not None)
            )
        )
        if not fits:
            yield path
        elif depth < 3:
            yield from _strays(path, depth + 1)
