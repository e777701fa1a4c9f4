"""``python -m benchmarks.gpu.disk [MODEL] [--write]``: the bytes that checkpoints take, and that a relearning reads.

One chain is computed with all weights and with adapters, on a model's folder, or on random weights of SmolLM2-135M's
shape: a finetuning, an unlearning and a relearning of a step each, evaluated with one probe. Counted are the
checkpoint files of the store, and the files that the relearning asks it for. Beside it: what merging an adapter
takes, a weight.
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
from benchmarks.machine import described
from benchmarks.marked_section import replace_between
from cluster.storage.local_store import LocalStore
from study.artifacts.address import Address
from study.models.adapters.product import Product
from study.models.pretrained import fingerprint
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.stages import Checkpoint, Evaluation, Pretrained, Stage, Trajectory
from study.settings.execution import Execution
from study.settings.model import Generation
from study.settings.optimiser import LoRA, Optimiser
from study.text.examples import Corpus, Example, Probe, ProbeSet
from study.unlearning import METHODS
from study.unlearning.method import UnlearningMethod

MEGABYTE = 10**6
WAYS = {"all weights": None, "adapters of rank 16": LoRA(rank=16)}
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


def measure(title: str, model: Path) -> Taken:
    """One of ``WAYS``, on a model's folder."""
    with tempfile.TemporaryDirectory() as folder:
        source = Pretrained(str(model), fingerprint(str(model)), "sdpa", "float32")
        store = CountingStore(Path(folder) / "store")
        for stage in _stages(source, WAYS[title]):
            residents = Residents()  # a worker that has read none of these files
            residents.get(source)
            before, began = store.read, time.perf_counter()
            perform(stage, store, residents, Execution(checkpoint_every_steps=None))
        checkpoints = [path.stat().st_size for path in store.folder.rglob("*.safetensors")]
        return Taken(title, max(checkpoints), store.read - before, time.perf_counter() - began)


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


def merge_nanoseconds(rows: int = 1536, columns: int = 576, rank: int = 16) -> float:
    """What merging takes for each weight, on one thread: the least of several times."""
    torch.manual_seed(0)
    weight = torch.randn(rows, columns)
    product = Product(2.0, {"w": (torch.randn(rows, rank), torch.randn(rank, columns))})
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        product.merge("w", weight)
        seconds.append(time.perf_counter() - began)
    return min(seconds) / weight.numel() * 1e9


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.disk")
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL", help="its folder")
    parser.add_argument("--write", action="store_true", help="put the table into docs/GPU.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or model_folder(Path(folder), small=False)
        taken = [measure(title, model) for title in WAYS]
    rows = [
        (
            each.title,
            f"{each.checkpoint / MEGABYTE:.1f}",
            f"{each.read / MEGABYTE:.1f}",
            f"{each.seconds:.1f}",
        )
        for each in taken
    ]
    text = table(
        ("what is trained", "MB a checkpoint", "MB that a relearning reads", "seconds of the relearning"),
        rows,
    )
    text += (
        f"\n\nTo merge an adapter of rank 16 takes {merge_nanoseconds():.0f} ns a weight on one thread of a CPU "
        f"({described()['processor']})."
    )
    print(text)
    if options.write:
        replace_between(PAGE, "disk", text)


if __name__ == "__main__":
    main()
