"""``python -m benchmarks.gpu.disk [--write]``: the bytes that checkpoints take, and that a relearning reads.

One chain is computed with all weights and with adapters, on random weights of SmolLM2-135M's shape in a folder: a
finetuning, an unlearning and a relearning of a step each, evaluated with one probe. Counted are the checkpoint files
of the store, and the files that the relearning asks it for.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu.page import PAGE, table
from benchmarks.gpu.setting import model_folder
from benchmarks.marked_section import replace_between
from cluster.storage.local_store import LocalStore
from study.artifacts import Address
from study.models.pretrained import fingerprint
from study.perform import Residents, perform
from study.planning.stages import Checkpoint, Evaluation, Pretrained, Stage, Trajectory
from study.settings.execution import Execution
from study.settings.model import Generation
from study.settings.optimiser import LoRA, Optimiser
from study.text.examples import Corpus, Example, Probe, ProbeSet
from study.unlearning import METHODS
from study.unlearning.method import UnlearningMethod

MEGABYTE = 10**6
KINDS = ("finetune", "unlearn", "relearn")
TEXTS = Corpus((Example("Question: Who wrote it?\nAnswer: Hina Ameen."),))
PROBES = ProbeSet((Probe("p", "forget", "Question: Who wrote it?\nAnswer:", "Hina"),))


@dataclass(frozen=True)
class Taken:
    """What one way of training takes: bytes of a checkpoint and of what a relearning reads, and its seconds."""

    title: str
    checkpoint: int
    read: int
    seconds: float


class CountingStore(LocalStore):
    """Counts the bytes that it hands out."""

    read = 0

    def file(self, address: Address, name: str) -> Path:
        """See ``Store.file``."""
        path = super().file(address, name)
        self.read += path.stat().st_size
        return path


def measure(small: bool = False) -> Iterator[Taken]:
    """With all weights, then with adapters of rank 16."""
    with tempfile.TemporaryDirectory() as folder:
        model = model_folder(Path(folder) / "model", small)
        source = Pretrained(str(model), fingerprint(str(model)), "sdpa", "float32")
        for title, lora in (("all weights", None), ("adapters of rank 16", LoRA(rank=16))):
            store, residents = CountingStore(Path(folder) / title), Residents()
            residents.get(source)  # is there already where stages follow each other
            for stage in _stages(source, lora):
                before, began = store.read, time.perf_counter()
                perform(stage, store, residents, Execution(checkpoint_every_steps=None))
            checkpoints = [path.stat().st_size for path in store.folder.rglob("*.safetensors")]
            yield Taken(title, max(checkpoints), store.read - before, time.perf_counter() - began)


def _stages(source: Pretrained, lora: LoRA | None) -> Iterator[Stage]:
    parent = Checkpoint(source, 0)
    optimiser = Optimiser(learning_rate=1e-4, batch_size=1, lora=lora)
    ascent = METHODS["gradient_ascent"]()
    if not isinstance(ascent, UnlearningMethod):
        raise TypeError("gradient_ascent does not fulfil the UnlearningMethod protocol")
    for kind in KINDS:
        node = Trajectory(kind, parent, ascent if kind == "unlearn" else None, TEXTS, None, optimiser, 0)
        parent = Checkpoint(node, 1)
        if kind == "relearn":
            yield Stage(node, (), ((1, Evaluation(PROBES, Generation(max_new_tokens=1))),))
        else:
            yield Stage(node, (1,), ())


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.disk")
    parser.add_argument("--write", action="store_true", help="put the table into docs/GPU.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        (
            each.title,
            f"{each.checkpoint / MEGABYTE:.1f}",
            f"{each.read / MEGABYTE:.1f}",
            f"{each.seconds:.1f}",
        )
        for each in measure()
    ]
    text = table(
        ("what is trained", "MB a checkpoint", "MB that a relearning reads", "seconds of the relearning"),
        rows,
    )
    print(text)
    if options.write:
        replace_between(PAGE, "disk", text)


if __name__ == "__main__":
    main()
