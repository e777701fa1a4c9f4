"""The models that the service offers: by name, where each one's weights lie.

A study's models are named by their coordinates, ``START/METHOD/repetitions-R/seed-S/depth-D``, with a short name of the
model before them where the study has several; a model folder by its own name, where that is safe as a name. The jobs'
checkpoints come beside them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from study.artifacts.address import Store
from study.errors import PreflightError
from study.planning.chains import chain_files
from study.planning.plan import Plan
from study.planning.stages import Checkpoint, Embedded, Pretrained, Trajectory
from study.settings.relearning import own_name, short_names

if TYPE_CHECKING:  # torch comes with it
    from study.models.resident import Resident

Source = Pretrained | Embedded


@dataclass(frozen=True)
class Served:
    """One model.

    Attributes:
        source: what its architecture and tokenizer come from.
        snapshot: its content identity; two models with the same weights have the same.
        files: gives what ``Resident.load`` takes, every hash verified; none: the source's own weights.
        made: what jobs made upon them; or, where a job trained all weights, that file and what came after it.
        stands_on: of a job's model, the name of the one that ``files`` are of; None where ``made`` is all of it.
        created: when it came to be, in seconds since 1970.
    """

    source: Source
    snapshot: str
    files: Callable[[], Sequence[Path]] = tuple
    made: tuple[Path, ...] = ()
    stands_on: str | None = None
    created: int = 0

    def load(self, resident: "Resident") -> None:
        """Its weights into the model that stands in memory."""
        resident.load(*self.files(), *self.made)


def of_study(plan: Plan, store: Store) -> dict[str, Served]:
    """Every model of a study that relearning may start from, and those it came from, as far as they are computed."""
    folders = short_names(plan.spec.model)
    found: dict[str, Served] = {}
    for cell in plan.cells:
        if cell.relearn_steps:
            continue
        prefix = f"{folders[cell.model]}/" if len(folders) > 1 else ""
        name = prefix + own_name(cell.start, cell.method, cell.repetitions, cell.seed, cell.depth)
        model = _of_checkpoint(cell.checkpoint, store)
        if model is not None:
            found.setdefault(name, model)
    if not found:
        raise PreflightError(
            f"{plan.spec.name} has no model to serve: no weights are published yet, or no relearning starts from them "
            "(it needs a value above 0 in relearn_steps); run it first"
        )
    return found


def of_folder(folder: Path) -> dict[str, Served]:
    """The one model of a folder.

    Raises:
        PreflightError: it is no model that can be loaded safely.
    """
    from study.models.pretrained import fingerprint
    from study.models.structure import attentions, without_weights

    identity = fingerprint(str(folder))
    source = Pretrained(str(folder), identity, "sdpa", "float32")
    if "sdpa" not in attentions(without_weights(source)):
        source = Pretrained(str(folder), identity, "eager", "float32")
    path = str(folder.absolute())
    return {short_names((path,))[path]: Served(source, f"{source.key}@0")}


def _of_checkpoint(checkpoint: Checkpoint, store: Store) -> Served | None:
    node = checkpoint.of
    snapshot = f"{node.key}@{checkpoint.step}"
    if not isinstance(node, Trajectory):
        return Served(node, snapshot) if isinstance(node, Pretrained | Embedded) else None
    if not all(store.has(link.address) for link in checkpoint.chain):
        return None
    return Served(node.source, snapshot, lambda: chain_files(checkpoint, store))


def names(models: Mapping[str, Served]) -> str:
    """The first few names, for a message."""
    first = list(models)[:5]
    return ", ".join(first) + (", …" if len(models) > len(first) else "")
