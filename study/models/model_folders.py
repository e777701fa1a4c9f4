"""A study's checkpoints as ordinary model folders, for whoever wants to attack or to serve them.

Each is a plain Hugging Face folder (safetensors, tokenizer, config), which `checkpoints.at` of another study, or any
other tool, reads like any published model. It appears whole or not at all: it is written beside its place under a name
that begins with a dot, and renamed when every byte is on the disk. A second export writes every folder again.
"""

from pathlib import Path

from study.artifacts import Address, Store
from study.atomic_write import whole_folder
from study.planning.plan import Plan
from study.planning.stages import Checkpoint, Trajectory


def export_checkpoints(plan: Plan, store: Store, target: Path) -> list[Path]:
    """Writes the original and every unlearned model whose weights are published.

    Returns:
        The folders, ``TARGET/METHOD/repetitions-R/seed-S/depth-D``; the original is ``original/…/depth-0``.

    Raises:
        IntegrityError: stored weights are not what their record says.
        OSError: a folder cannot be written; those before it are whole.
    """
    from study.artifacts import WEIGHTS_FILE
    from study.models.resident import Resident

    resident: Resident | None = None
    written: list[Path] = []
    for checkpoint, name in _named_checkpoints(plan).items():
        address = Address.of_weights(checkpoint.of.key, checkpoint.step)
        if not isinstance(checkpoint.of, Trajectory) or not store.has(address):
            continue
        if resident is None or resident.source.key != checkpoint.of.source.key:
            resident = None  # frees the old one first: one model in memory at a time
            resident = Resident(checkpoint.of.source)
        resident.load(store.file(address, WEIGHTS_FILE))
        with whole_folder(target / name) as folder:
            resident.model.save_pretrained(folder)
            resident.tokenizer.save_pretrained(folder)
        written.append(target / name)
    return written


def _named_checkpoints(plan: Plan) -> dict[Checkpoint, Path]:
    """The checkpoints where relearning starts, and the folder of each below the target."""
    found: dict[Checkpoint, Path] = {}
    for cell in plan.cells:
        if cell.relearn_steps == 0 and cell.start in ("unlearned", "original"):
            model = cell.method if cell.start == "unlearned" else "original"
            name = (
                Path(model) / f"repetitions-{cell.repetitions}" / f"seed-{cell.seed}" / f"depth-{cell.depth}"
            )
            found.setdefault(cell.checkpoint, name)
    return found
