"""A study's checkpoints as ordinary model folders, for whoever wants to attack or to serve them.

Each is a plain Hugging Face folder (safetensors, tokenizer, config), which `checkpoints.at` of another study, or any
other tool, reads like any published model. It appears whole or not at all: it is written beside its place under a name
that begins with a dot, and renamed when every byte is on the disk. A second export writes every folder again.
"""

from dataclasses import dataclass, field
from pathlib import Path

from study.artifacts import Address, Store
from study.atomic_write import whole_folder
from study.planning.plan import Plan
from study.planning.stages import Checkpoint, Trajectory


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Attributes:
        written: the folders, ``TARGET/METHOD/repetitions-R/seed-S/depth-D``; the original is ``original/…/depth-0``.
        not_kept: the folders of models that the study evaluates and keeps no weights of, as nothing starts there.
        not_computed: the folders of models whose weights are not published yet.
        unfinished: hidden folders beside those written, of an export that was killed or of one that still runs.
    """

    written: list[Path] = field(default_factory=list)
    not_kept: list[Path] = field(default_factory=list)
    not_computed: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)

    @property
    def left_out(self) -> list[str]:
        """A line for each folder that was not written, or that lies there unfinished."""
        why = "no relearning starts there, so its weights were not kept"
        return [
            *(f"not written: {path}: {why}" for path in self.not_kept),
            *(f"not written: {path}: not computed yet" for path in self.not_computed),
            *(f"unfinished: {path}: remove it if no other export runs" for path in self.unfinished),
        ]


def export_checkpoints(plan: Plan, store: Store, target: Path) -> Exported:
    """Writes the original and every unlearned model whose weights are published.

    Raises:
        IntegrityError: stored weights are not what their record says.
        OSError: a folder cannot be written; those before it are whole.
    """
    from study.artifacts import WEIGHTS_FILE
    from study.models.resident import Resident

    resident: Resident | None = None
    exported = Exported()
    for checkpoint, name in _named_checkpoints(plan).items():
        address = Address.of_weights(checkpoint.of.key, checkpoint.step)
        if not isinstance(checkpoint.of, Trajectory):
            continue  # a given model is a folder already
        if not store.has(address):
            kept = checkpoint.step in plan.stages[checkpoint.of.key].keep
            (exported.not_computed if kept else exported.not_kept).append(target / name)
            continue
        if resident is None or resident.source.key != checkpoint.of.source.key:
            resident = None  # frees the old one first: one model in memory at a time
            resident = Resident(checkpoint.of.source)
        resident.load(store.file(address, WEIGHTS_FILE))
        with whole_folder(target / name) as folder:
            resident.model.save_pretrained(folder)
            resident.tokenizer.save_pretrained(folder)
        exported.written.append(target / name)
        exported.unfinished.extend((target / name.parent).glob(f".{name.name}.*"))
    return exported


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
