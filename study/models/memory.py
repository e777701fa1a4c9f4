"""How much memory a stage will need, estimated before anything is loaded.

It counts weights, the copy of them that a process keeps, gradients, AdamW's two moments, the frozen models
beside the trained one, and, roughly, activations and logits of one micro-batch. It is an estimate: a stage that it
refuses would hardly have run, and one that it accepts may still not fit.
"""

from dataclasses import dataclass
from math import prod
from pathlib import Path

from study.models.config_json import number_of
from study.models.peft_folder import weight_shapes
from study.models.pretrained import local_folder
from study.planning.stages import Pretrained, Stage, Trajectory
from study.settings.execution import Execution

BYTES = {"float32": 4, "mixed": 4, "bfloat16": 2}
ACTIVATIONS_PER_LAYER = 16
"""Activations that a layer keeps for the backward pass, per token, in multiples of hidden_size."""


@dataclass(frozen=True)
class Size:
    """The numbers of a pretrained model that decide how much memory it takes; ``width`` is hidden_size."""

    parameters: int
    layers: int
    width: int
    vocabulary: int


def size_of(source: Pretrained) -> Size:
    """From the model's configuration and the headers of its weights, which are never loaded."""
    folder = Path(local_folder(source.location, source.fingerprint))
    # These transformers loads; some models come with a second copy in another form.
    files = folder.glob("model*.safetensors")
    return Size(
        parameters=sum(prod(shape) for file in files for shape in weight_shapes(file).values()),
        layers=number_of(folder, "num_hidden_layers"),
        width=number_of(folder, "hidden_size"),
        vocabulary=number_of(folder, "vocab_size"),
    )


def stage_bytes(stage: Stage, size: Size, execution: Execution, longest: int) -> int:
    """The most bytes that a stage needs at once.

    Args:
        longest: tokens of its longest text.
    """
    node = stage.node
    source = node.source if isinstance(node, Trajectory) else node
    each = BYTES[source.precision]
    weights = size.parameters * each
    total = 2 * weights  # the model, and the process's copy that resets it
    if not isinstance(node, Trajectory):
        return total
    method = node.method
    if getattr(method, "uses_reference", False):  # no other objective says, and its type comes with torch
        total += weights
    if node.helper is not None:
        total += weights
    lora = node.optimiser.lora
    if lora is None:
        total += 3 * weights  # gradients and two moments
    else:
        adapter = 2 * lora.rank * size.width * 7 * size.layers * each
        total += 4 * adapter + weights  # the plain weights are kept while the adapter is written into them
    tokens = min(execution.micro_batch, node.optimiser.batch_size) * longest
    kept = 1 if execution.activation_checkpointing else ACTIVATIONS_PER_LAYER
    batches = 1 if node.retain is None else 2
    activations = tokens * size.layers * size.width * kept * each
    logits = 3 * tokens * size.vocabulary * BYTES["float32"]
    return total + batches * (activations + logits)
