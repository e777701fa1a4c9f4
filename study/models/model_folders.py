"""A study's checkpoints as ordinary model folders, for whoever wants to attack or to serve them.

What comes out is a plain Hugging Face folder (safetensors, tokenizer, config), which `checkpoints.at` of
another study, or any other tool, takes as a stranger's.
"""

from pathlib import Path

from study.artifacts import Address, Store
from study.planning.plan import Plan
from study.planning.stages import Checkpoint, Trajectory


def export_checkpoints(plan: Plan, store: Store, target: Path) -> list[Path]:
    """Writes the original and every unlearned model whose weights are published.

    Returns:
        The folders, ``TARGET/METHOD/repetitions-R/seed-S/depth-D``; the original is ``original/…/depth-0``.
    """
    from study.artifacts import WEIGHTS_FILE
    from study.models.resident import Resident

    residents: dict[str, Resident] = {}
    written: list[Path] = []
    for checkpoint, place in _places(plan).items():
        address = Address.of_weights(checkpoint.of.key, checkpoint.step)
        if not isinstance(checkpoint.of, Trajectory) or not store.has(address):
            continue
        source = checkpoint.of.source
        if source.key not in residents:
            residents.clear()  # one model in memory at a time
            residents[source.key] = Resident(source)
        resident = residents[source.key]
        resident.load(store.file(address, WEIGHTS_FILE))
        folder = target / place
        resident.model.save_pretrained(folder)
        resident.tokenizer.save_pretrained(folder)
        written.append(folder)
    return written


def _places(plan: Plan) -> dict[Checkpoint, Path]:
    """Checkpoints that someone would want, and what to call them: those where relearning starts."""
    found: dict[Checkpoint, Path] = {}
    for cell in plan.cells:
        if cell.relearn_steps == 0 and cell.start in ("unlearned", "original"):
            who = cell.method if cell.start == "unlearned" else "original"
            place = (
                Path(who) / f"repetitions-{cell.repetitions}" / f"seed-{cell.seed}" / f"depth-{cell.depth}"
            )
            found.setdefault(cell.checkpoint, place)
    return found
