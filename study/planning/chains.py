"""The files of a checkpoint, followed through the store: whole weights and the adapters upon them.

Each adapter was trained upon certain bytes of its parent and means nothing upon others. Its record says which; where
the parent was made again with other bits, on another machine perhaps, the chain is refused.
"""

from pathlib import Path

from study.artifacts.address import UPON, Address, Store
from study.errors import IntegrityError
from study.planning.stages import Checkpoint, Trajectory


class VerifiedFiles:
    """Files of a store whose hashes were found, for as long as nobody writes to them or replaces them.

    The siblings of a tree start from the same parents; a large file takes many seconds to hash, and one process
    performs many siblings.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._found: dict[Address, tuple[Path, tuple[int, ...]]] = {}

    def file(self, address: Address, name: str) -> Path:
        """See ``Store.file``."""
        known = self._found.get(address)
        if known is not None and known[1] and known[1] == _state_of(known[0]):
            return known[0]
        path = self.store.file(address, name)
        self._found[address] = path, _state_of(path)
        return path


def _state_of(path: Path) -> tuple[int, ...]:
    """What changes with every change of a file; nothing where it is gone."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def chain_files(checkpoint: Checkpoint, store: Store, verified: VerifiedFiles | None = None) -> list[Path]:
    """The verified files of a checkpoint, as ``Resident.load`` takes them; none for a model itself.

    Args:
        verified: of this store, files whose hashes were found before; takes in those of this chain.

    Raises:
        KeyError: a link was not published.
        IntegrityError: a file is not what its record says, or an adapter stands upon other weights than it was
            trained on.
    """
    files: list[Path] = []
    verified = VerifiedFiles(store) if verified is None else verified
    for link in checkpoint.chain:
        node = link.of
        if not isinstance(node, Trajectory):
            continue
        if files and store.record(link.address).get(UPON) != link_to(node.parent, store):
            raise IntegrityError(
                f"{link.address} was trained upon other weights than {node.parent.address} has now: move it aside "
                "with `relearn verify STUDY --repair`, and run again"
            )
        files.append(verified.file(link.address, node.weights_file))
    return files


def link_to(parent: Checkpoint, store: Store) -> dict[str, str]:
    """What the record of an adapter says of its parent."""
    node = parent.of
    if not isinstance(node, Trajectory):
        raise TypeError(f"{node.key} is a model itself, and no record says what stands upon it")
    facts = store.record(parent.address)["files"][node.weights_file]
    return {"address": str(parent.address), "sha256": str(facts["sha256"])}
