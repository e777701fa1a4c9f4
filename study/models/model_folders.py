"""A study's checkpoints as ordinary model folders, for whoever wants to attack or to serve them.

Each is a plain Hugging Face folder (safetensors, tokenizer, config), which `checkpoints.at` of another study, or any
other tool, reads like any published model. It appears whole or not at all: it is written beside its place under a name
that begins with a dot, and renamed when every byte is on the disk. A second export writes every folder again.

Where a chain of adapters stands on a published model, the chain can be written as one PEFT adapter instead.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from study.artifacts.address import Store
from study.artifacts.atomic_write import whole_folder
from study.artifacts.targets import refuse_loss, try_folder
from study.planning.chains import chain_files
from study.planning.plan import Plan
from study.planning.stages import Checkpoint, Pretrained, Trajectory
from study.settings.relearning import short_names

WRITTEN = re.compile(r"[\w.-]+\.(safetensors|json|model|jinja)|(vocab|merges)\.txt|README\.md")
"""The names that transformers and PEFT give to what they write of a model and its tokenizer."""
NO_ADAPTER = (
    "no adapter on a model of the hub or of a folder; without --adapters its whole weights are written"
)


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Attributes:
        written: the folders, ``TARGET/METHOD/repetitions-R/seed-S/depth-D``; the original is ``original/…/depth-0``. Of
            a study with several models, ``TARGET/MODEL/METHOD/…``.
        nothing: why the study has no model to write, where it has none.
        not_kept: the folders of models that the study evaluates and keeps no weights of, as nothing starts there.
        no_adapters: the folders of models that cannot be written as an adapter, where that was asked for.
        not_computed: the folders of models whose weights are not published yet.
        unfinished: hidden folders beside those written, of an export that was killed or of one that still runs.
    """

    written: list[Path] = field(default_factory=list)
    nothing: str | None = None
    not_kept: list[Path] = field(default_factory=list)
    no_adapters: list[Path] = field(default_factory=list)
    not_computed: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)

    @property
    def left_out(self) -> list[str]:
        """A line for each folder that was not written, or that lies there unfinished."""
        why = "no relearning starts there, so its weights were not kept"
        return [
            *([f"nothing to write: {self.nothing}"] if self.nothing else []),
            *(f"not written: {path}: {why}" for path in self.not_kept),
            *(f"not written: {path}: not computed yet" for path in self.not_computed),
            *(f"not written: {path}: {NO_ADAPTER}" for path in self.no_adapters),
            *(f"unfinished: {path}: remove it if no other export runs" for path in self.unfinished),
        ]


def export_checkpoints(plan: Plan, store: Store, target: Path, *, adapters: bool = False) -> Exported:
    """Writes the original and every unlearned model whose weights are published.

    Args:
        adapters: writes PEFT adapters, and no model that is none.

    Raises:
        SpecError: the target cannot be written, or holds something that no export wrote and that would be lost.
        IntegrityError: stored weights are not what their record says.
        OSError: a folder cannot be written; those before it are whole.
    """
    from study.models.adapters.peft_form import adapters_on_a_model, write_adapter
    from study.models.resident import Resident

    resident: Resident | None = None
    named = _named_checkpoints(plan)
    try_folder(target)
    for checkpoint, name in named.items():
        if isinstance(checkpoint.of, Trajectory):
            _refuse_foreign(target / name)
    exported = Exported(nothing=_why_nothing(plan, named))
    for checkpoint, name in named.items():
        if not isinstance(checkpoint.of, Trajectory):
            continue  # a given model is a folder already
        if not all(store.has(link.address) for link in checkpoint.chain):
            kept = checkpoint.step in plan.stages[checkpoint.of.key].keep
            (exported.not_computed if kept else exported.not_kept).append(target / name)
            continue
        chain = chain_files(checkpoint, store)
        source = checkpoint.of.source
        if adapters:
            products = adapters_on_a_model(source, chain)
            if not products or not isinstance(source, Pretrained):
                exported.no_adapters.append(target / name)
                continue
            with whole_folder(target / name) as folder:
                write_adapter(source, products, folder)
        else:
            if resident is None or resident.source.key != source.key:
                resident = None  # frees the old one first: one model in memory at a time
                resident = Resident(source)
            resident.load(*chain)
            with whole_folder(target / name) as folder:
                resident.merged_model().save_pretrained(folder)
                resident.tokenizer.save_pretrained(folder)
        exported.written.append(target / name)
        exported.unfinished.extend((target / name.parent).glob(f".{name.name}.*"))
    return exported


def _refuse_foreign(folder: Path) -> None:
    """Refuses to replace a folder that is no export of a model."""
    entries = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    exported = not {"config.json", "adapter_config.json"}.isdisjoint(entries)
    for name in entries:
        if not (exported and WRITTEN.fullmatch(name)):
            refuse_loss(folder / name, "export of models")


def _named_checkpoints(plan: Plan) -> dict[Checkpoint, Path]:
    """The checkpoints where relearning starts, and the folder of each below the target."""
    found: dict[Checkpoint, Path] = {}
    folders = short_names(plan.spec.model)
    several = len(folders) > 1
    for cell in plan.cells:
        if cell.relearn_steps == 0 and cell.start in ("unlearned", "original"):
            model = cell.method if cell.start == "unlearned" else "original"
            name = (
                Path(model) / f"repetitions-{cell.repetitions}" / f"seed-{cell.seed}" / f"depth-{cell.depth}"
            )
            found.setdefault(cell.checkpoint, folders[cell.model] / name if several else name)
    return found


def _why_nothing(plan: Plan, named: Iterable[Checkpoint]) -> str | None:
    """Why there is nothing that an export could write, now or later; None where there is something."""
    if any(isinstance(checkpoint.of, Trajectory) for checkpoint in named):
        return None
    spec = plan.spec
    if spec.relearn.by != "weights":
        return f"with relearn.by={spec.relearn.by} a service holds the models, and their weights are not here"
    if spec.checkpoints is not None:
        return f"`checkpoints` gives the models: {', '.join(dict.fromkeys(spec.checkpoints.at.values()))}"
    return "nothing is finetuned or unlearned in this study, so its models are those that were given"
