"""``python -m benchmarks.gpu.memory [--write]``: the memory of stages on a CPU, told before and taken.

Each shape is trained for two steps in this process, on a model of 42 million random weights. What it takes is the peak
of the process's resident memory above what it held with the model loaded. What a GPU takes, the part ``whole`` of
``benchmarks.gpu`` measures.
"""

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.gpu.page import PAGE, table
from benchmarks.gpu.setting import nobody
from benchmarks.marked_section import replace_between
from study.models.memory import BYTES, PROCESS_BYTES, size_of, stage_need
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.models.tokenizer import load_tokenizer
from study.planning.stages import Checkpoint, Embedded, Pretrained, Stage, Trajectory
from study.settings.execution import Execution
from study.settings.model import Architecture
from study.settings.optimiser import LoRA, Optimiser
from study.text.examples import Corpus, Example
from study.training.loop import train
from study.unlearning import METHODS
from study.unlearning.method import UnlearningMethod

MEBIBYTE = 2**20
WORDS = tuple(f" w{number}" for number in range(200))
MODEL: dict[str, Any] = {
    "vocab_size": 16384,
    "hidden_size": 512,
    "intermediate_size": 1376,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}


@dataclass(frozen=True)
class Shape:
    """A training of batches of 8 texts of so many tokens."""

    title: str
    tokens: int
    precision: str = "float32"
    adapter: bool = False
    method: str | None = None


SHAPES = (
    Shape("all weights, float32, 8 × 64", 64),
    Shape("all weights, float32, 8 × 384", 384),
    Shape("an adapter, float32, 8 × 64", 64, adapter=True),
    Shape("an adapter, float32, 8 × 384", 384, adapter=True),
    Shape("KL minimisation, float32, 8 × 128", 128, method="kl_minimisation"),
)


@dataclass(frozen=True)
class Measured:
    """Bytes above what the loaded model and the process's copy of it take."""

    shape: Shape
    told: int
    taken: int


def measure(shapes: tuple[Shape, ...] = SHAPES) -> Iterator[Measured]:
    """Each shape, told and taken."""
    for shape in shapes:
        with tempfile.TemporaryDirectory() as folder:
            source = _model(Path(folder), shape.precision)
            stage = _stage(source, shape)
            size = size_of(source)
            need = stage_need(stage, size, Execution(checkpoint_every_steps=None), shape.tokens)
            resident = Resident(source)
        loaded = PROCESS_BYTES + 2 * size.parameters * BYTES[shape.precision]
        gc.collect()
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        if not isinstance(stage.node, Trajectory):
            raise TypeError("a shape is trained")
        train(stage.node, resident, 2, (), nobody, 32)
        yield Measured(shape, need.host - loaded, _status("VmHWM") - before)
        del resident


def _stage(source: Pretrained, shape: Shape) -> Stage:
    corpus = Corpus(
        tuple(
            Example("".join(WORDS[(7 * text + at) % len(WORDS)] for at in range(shape.tokens)))
            for text in range(16)
        )
    )
    method = _method(shape.method) if shape.method is not None else None
    optimiser = Optimiser(learning_rate=1e-4, batch_size=8, lora=LoRA() if shape.adapter else None)
    kind = "unlearn" if method is not None else "finetune"
    retain = corpus if method is not None else None
    return Stage(Trajectory(kind, Checkpoint(source, 0), method, corpus, retain, optimiser, 0), (2,), ())


def _method(name: str) -> UnlearningMethod:
    method = METHODS[name]()
    if not isinstance(method, UnlearningMethod):
        raise TypeError(f"{name} does not fulfil the UnlearningMethod protocol")
    return method


def _model(folder: Path, precision: str) -> Pretrained:
    torch.manual_seed(0)
    config = LlamaConfig(**MODEL, pad_token_id=0, bos_token_id=1, eos_token_id=None)
    LlamaForCausalLM(config).save_pretrained(folder)
    words = Embedded(Architecture(layers=1, width=16), WORDS, "sdpa", "float32", 0)
    load_tokenizer(words).save_pretrained(folder)
    return Pretrained(str(folder), fingerprint(str(folder)), "sdpa", precision)


def _status(name: str) -> int:
    """Bytes, of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return 1024 * int(line.split()[1])
    raise KeyError(name)


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu.memory")
    parser.add_argument("--write", action="store_true", help="put the table into docs/GPU.md")
    torch.set_num_threads(1)
    # Large tensors go back to the system when they are freed, so that the peak is that of one moment.
    if os.environ.get("MALLOC_MMAP_THRESHOLD_") is None:
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
        command = [sys.executable, "-m", "benchmarks.gpu.memory", *sys.argv[1:]]
        os.execve(sys.executable, command, environment)  # noqa: S606
    options = parser.parse_args()
    rows = [
        (each.shape.title, each.told // MEBIBYTE, each.taken // MEBIBYTE, f"{each.told / each.taken:.2f}")
        for each in measure()
    ]
    text = table(("what is trained", "MiB told", "MiB taken", "told / taken"), rows)
    print(text)
    if options.write:
        replace_between(PAGE, "memory", text)


if __name__ == "__main__":
    main()
