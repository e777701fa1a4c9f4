"""The files of a checkpoint, followed through the store: whole weights and the adapters upon them.

Each adapter was trained upon certain bytes of its parent and means nothing upon others. Its record says which; where
the parent was made again with other bits, on another machine perhaps, the chain is refused.
"""

from pathlib import Path

from study.artifacts import UPON, Address, Store
from study.errors import IntegrityError
from study.planning.stages import Checkpoint, Trajectory


def chain_files(
    checkpoint: Checkpoint, store: Store, verified: dict[Address, Path] | None = None
) -> list[Path]:
    """The verified files of a checkpoint, as ``Resident.load`` takes them; none for a model itself.

    Args:
        verified: files whose hashes were found right before; takes in those of this chain.

    Raises:
        KeyError: a link was not published.
        IntegrityError: a file is not what its record says, or an adapter stands upon other weights than it was
            trained on.
    """
    files: list[Path] = []
    verified = {} if verified is None else verified
    for link in checkpoint.chain:
        node = link.of
        if not isinstance(node, Trajectory):
            continue
        if files and store.record(link.address).get(UPON) != link_to(node.parent, store):
            raise IntegrityError(
                f"{link.address} was trained upon other weights than {node.parent.address} has now: move it aside "
                "with `relearn verify STUDY --repair`, and run again"
            )
        if link.address not in verified:
            verified[link.address] = store.file(link.address, node.weights_file)
        files.append(verified[link.address])
    return files


def link_to(parent: Checkpoint, store: Store) -> dict[str, str]:
    """What the record of an adapter says of its parent."""
    node = parent.of
    if not isinstance(node, Trajectory):
        raise TypeError(f"{node.key} is a model itself, and no record says what stands upon it")
    facts = store.record(parent.address)["files"][node.weights_file]
    return {"address": str(parent.address), "sha256": str(facts["sha256"])}
