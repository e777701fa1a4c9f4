"""How much memory a stage will need, on its device and of the machine, told before anything is loaded.

Counted are weights, gradients, AdamW's two moments, the frozen models beside the trained one, the bfloat16 casts of
mixed precision, activations and logits of one micro-batch, the KV cache of an evaluation, and what a process takes
anyway. Not all of it is there at once: a stage needs the largest of what its moments need. How many bytes of
activations a layer keeps was measured with hooks on saved tensors (Llama's and SmolLM2's proportions).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from study.models.adapters.peft_folder import weight_shapes
from study.models.config_json import number_of, read
from study.models.pretrained import local_folder
from study.planning.cost import adapter_weights
from study.planning.stages import Pretrained, Stage, Trajectory
from study.settings.execution import Execution
from study.settings.optimiser import LoRA

BYTES = {"float32": 4, "mixed": 4, "bfloat16": 2}
"""Of a weight."""

CAST_BYTES = 2
"""Of a weight's cast to bfloat16 in mixed precision: kept from the forward to the backward pass, and for as long as an
evaluation takes."""

ACTIVATIONS = {"float32": 85, "mixed": 56, "bfloat16": 46}
ACTIVATIONS_LORA = {"float32": 75, "mixed": 51, "bfloat16": 69}
"""Bytes that a layer keeps for the backward pass, per token and unit of hidden_size."""

LOGITS = {"float32": 16, "mixed": 14, "bfloat16": 14}
LOGITS_COMPARED = {"float32": 52, "mixed": 46, "bfloat16": 46}
"""Bytes per token and word of the vocabulary; the second of methods that compare the model with a frozen one."""

CACHED = {"float32": 8, "mixed": 6, "bfloat16": 4}
"""Bytes of a key and a value; in mixed precision keys are rotated in float32."""

PROCESS_BYTES = 2**29
"""What Python and the libraries take of the machine."""

CONTEXT_BYTES = int(0.7 * 2**30)
"""What CUDA itself takes of a card for a process, beside all tensors."""

UNEVEN = 2
"""Whole layers by which the fullest of several cards may lie above the mean (accelerate leaves 1.25 layers of room)."""

COPIES_AT_ONCE = 2
"""Of layers in main memory: the copy that computes, and the one before, which autograd may still hold."""

GROUPS_AT_ONCE = 5
"""Of a gang: groups of weights or of gradients that are whole at once."""

MASTER_BYTES = 4
"""Of a weight of an adapter, a gradient of it, or a moment: always float32."""


@dataclass(frozen=True)
class Size:
    """The numbers of a model that decide how much memory it takes.

    Attributes:
        width: hidden_size.
        inner: intermediate_size.
        key_width: width of the keys of a layer, all heads together.
    """

    parameters: int
    layers: int
    width: int
    inner: int
    key_width: int
    vocabulary: int

    @property
    def linear(self) -> int:
        """Weights of the linear layers within the decoder's layers."""
        return self.layers * self.width * (2 * self.width + 2 * self.key_width + 3 * self.inner)

    def adapter(self, lora: LoRA) -> int:
        """Weights of an adapter."""
        return adapter_weights(lora, self.layers, self.width, self.inner, self.key_width)


@dataclass(frozen=True)
class Need:
    """The most bytes that a stage needs at once.

    Attributes:
        device: on its GPU, beside what CUDA itself takes; 0 for a stage that computes on the CPU.
        host: of the machine's main memory.
    """

    device: int
    host: int


def size_of(source: Pretrained) -> Size:
    """From the model's configuration and the headers of its weights, which are never loaded."""
    folder = Path(local_folder(source.location, source.fingerprint))
    # These transformers loads; some models come with a second copy in another form.
    files = list(folder.glob("model*.safetensors"))
    if not files:
        return size_of_config(read(folder / "config.json"))
    return _size(folder, sum(prod(shape) for file in files for shape in weight_shapes(file).values()))


def checkpoint_bytes(source: Pretrained, lora: LoRA | None) -> int:
    """What one checkpoint takes on disk: of an adapter in float32, or of all weights as they are computed with."""
    size = size_of(source)
    return size.parameters * BYTES[source.precision] if lora is None else MASTER_BYTES * size.adapter(lora)


def size_of_config(config: Mapping[str, Any]) -> Size:
    """From the content of a config.json alone, for a model whose weights are not there."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    made = AutoConfig.for_model(**config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(made, trust_remote_code=False)
    text = made.get_text_config(decoder=True)
    heads = text.num_attention_heads
    head = getattr(text, "head_dim", None) or text.hidden_size // heads
    return Size(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        inner=getattr(text, "intermediate_size", 4 * text.hidden_size),
        key_width=head * (getattr(text, "num_key_value_heads", None) or heads),
        vocabulary=text.vocab_size,
    )


def _size(folder: Path, parameters: int) -> Size:
    width = number_of(folder, "hidden_size")
    heads = number_of(folder, "num_attention_heads", default=1)  # a recurrent model has none
    head = number_of(folder, "head_dim", default=width // heads)
    return Size(
        parameters=parameters,
        layers=number_of(folder, "num_hidden_layers"),
        width=width,
        inner=number_of(folder, "intermediate_size", default=4 * width),
        key_width=head * number_of(folder, "num_key_value_heads", default=heads),
        vocabulary=number_of(folder, "vocab_size"),
    )


def stage_need(stage: Stage, size: Size, execution: Execution, longest: int) -> Need:
    """The memory that a stage needs.

    Args:
        longest: tokens of its longest text.
    """
    node = stage.node
    if stage.source is None:
        raise TypeError("a service's stage takes no memory here")
    if (
        isinstance(node, Trajectory)
        and node.optimiser.lora is None
        and execution.resources(stage.kind).members > 1
    ):
        return _of_gang(stage, node, size, execution, longest)
    resources = execution.resources(stage.kind)
    if resources.offload == "cpu":
        return _of_layers_in_main_memory(stage, size, execution, longest)
    precision = stage.source.precision
    weights = size.parameters * BYTES[precision]
    computing = _evaluation(stage, size, execution, precision, longest) + weights
    states = 0
    if isinstance(node, Trajectory):
        frozen = weights * (bool(getattr(node.method, "uses_reference", False)) + (node.helper is not None))
        training = _step(node, size, execution, precision, longest)
        at_a_stop, states = _kept(node, size, precision)
        computing = frozen + max(weights + training, computing + at_a_stop)
        if not _leaves_states(stage, execution):
            states = 0
    # The process's own copy of the model.
    host = PROCESS_BYTES + weights
    if not resources.gpus:
        return Need(0, host + max(computing, weights))
    if resources.gpus > 1:
        computing = _of_the_fullest_card(computing, stage, size, execution, longest)
    # Beside it what was fetched from the card to be written, or is on its way there: a checkpoint, or a state.
    return Need(computing, host + max(weights, states))


def _of_the_fullest_card(whole: int, stage: Stage, size: Size, execution: Execution, longest: int) -> int:
    """Of cards that have the layers of one model: what lies with layers is dealt alike, logits lie on the first."""
    node, cards = stage.node, int(execution.resources(stage.kind).gpus)
    logits = 0
    if isinstance(node, Trajectory):
        sequences = min(execution.micro_batch, node.optimiser.batch_size)
        logits = _logits(node, size, node.source.precision, sequences * longest)
    precision = "float32" if stage.source is None else stage.source.precision
    part = max(size.linear // size.layers, (size.parameters - size.linear) // 2)
    uneven = UNEVEN * part * (BYTES[precision] + _cast_bytes(precision))
    return logits + (whole - logits) // cards + uneven


def _of_layers_in_main_memory(stage: Stage, size: Size, execution: Execution, longest: int) -> Need:
    """On the card lies what is no decoder layer, the copies of one or two layers, and what passes leave there.

    Frozen models lie so too, and activations are computed again.
    """
    if stage.source is None:
        raise TypeError("a service's stage takes no memory here")
    node, precision = stage.node, stage.source.precision
    each, cast = BYTES[precision], _cast_bytes(precision)
    weights, rest = size.parameters * each, (size.parameters - size.linear) * (each + cast)
    copies = COPIES_AT_ONCE * (size.linear // size.layers) * (each + cast)
    # Casts of the layers are made in main memory for an evaluation, and for a pass on the card.
    evaluation = _evaluation(stage, size, execution, precision, longest)
    casts = cast * size.parameters if stage.evaluate else 0
    device, models, beside = evaluation - casts, 1, casts
    if isinstance(node, Trajectory) and node.optimiser.lora is not None:
        models += bool(getattr(node.method, "uses_reference", False)) + (node.helper is not None)
        sparing = execution.model_copy(update={"activation_checkpointing": True})
        step = _step(node, size, sparing, precision, longest) - cast * size.parameters
        adapter = 3 * MASTER_BYTES * size.adapter(node.optimiser.lora)
        device = max(step, adapter + device)
        if precision != "bfloat16":
            beside += size.linear * each  # the plain weights beside the merged ones
    host = PROCESS_BYTES + (1 + models) * weights + max(beside, weights)
    return Need(models * rest + copies + device, host)


def _leaves_states(stage: Stage, execution: Execution) -> bool:
    every = execution.checkpoint_every_steps
    return every is not None and every < stage.last_step


def _of_gang(stage: Stage, node: Trajectory, size: Size, execution: Execution, longest: int) -> Need:
    """Of processes that train all weights together: weights, moments, gradients and frozen models are in shards.

    A group of weights is whole while it computes: a decoder layer, or embeddings and output layer. Then there are the
    next group, its gradients, and those sent and received. At a stop the first process has the whole model beside its
    shards.
    """
    precision = node.source.precision
    members = execution.resources(stage.kind).members
    weights = size.parameters * BYTES[precision]
    frozen = weights * (bool(getattr(node.method, "uses_reference", False)) + (node.helper is not None))
    group = max(size.linear // size.layers, size.parameters - size.linear) * BYTES[precision]
    pieces = max(1, min(execution.micro_batch, node.optimiser.batch_size // members))
    passes = _passes(node, size, execution, precision, longest, pieces) + GROUPS_AT_ONCE * group
    at_a_stop = weights + _evaluation(stage, size, execution, precision, longest)
    state = 3 * weights if _leaves_states(stage, execution) else 0
    processes = members * PROCESS_BYTES
    if execution.resources(stage.kind).gpus:
        device = (frozen + 3 * weights) // members + max(weights // members + passes, at_a_stop)
        # Each reads the whole model before it is cut; then the first has its own copy, and a file on its way.
        return Need(device, processes + max(members * weights, weights + max(weights, state)))
    computing = frozen + 3 * weights + max(weights + members * passes, at_a_stop, state)
    return Need(0, processes + weights + max(computing, 2 * members * weights))


def _step(node: Trajectory, size: Size, execution: Execution, precision: str, longest: int) -> int:
    """Beside the weights: the most between two optimiser steps.

    Gradients grow while activations go, so with one micro-batch only the larger counts; with several, the
    gradients of the first are there while the next is computed.
    """
    lora = node.optimiser.lora
    sequences = min(execution.micro_batch, node.optimiser.batch_size)
    passes = _passes(node, size, execution, precision, longest, sequences)
    if lora is not None:
        return 4 * MASTER_BYTES * size.adapter(lora) + passes
    weights = size.parameters * BYTES[precision]
    if sequences < node.optimiser.batch_size:
        return 3 * weights + passes
    return 2 * weights + max(passes, weights)


def _passes(
    node: Trajectory, size: Size, execution: Execution, precision: str, longest: int, sequences: int
) -> int:
    """What forward and backward passes over so many sequences take beside weights and gradients."""
    lora = node.optimiser.lora
    tokens = sequences * longest
    per_layer = tokens * size.width * (ACTIVATIONS if lora is None else ACTIVATIONS_LORA)[precision]
    activations = per_layer * size.layers
    if execution.activation_checkpointing:
        activations = per_layer + tokens * size.width * size.layers * BYTES["float32"]
    batches = 1 if node.retain is None else 2
    casts = _cast_bytes(precision) * size.parameters
    return casts + batches * activations + _logits(node, size, precision, tokens)


def _logits(node: Trajectory, size: Size, precision: str, tokens: int) -> int:
    compares = bool(getattr(node.method, "uses_reference", False))
    return tokens * size.vocabulary * (LOGITS_COMPARED if compares else LOGITS)[precision]


def _cast_bytes(precision: str) -> int:
    return CAST_BYTES if precision == "mixed" else 0


def _kept(node: Trajectory, size: Size, precision: str) -> tuple[int, int]:
    """Beside the weights: what stays on the device while a checkpoint is evaluated, and a training state."""
    lora, weights = node.optimiser.lora, size.parameters * BYTES[precision]
    if lora is None:
        return 2 * weights, 3 * weights
    adapter = 3 * MASTER_BYTES * size.adapter(lora)
    # Kept while the product is written into them; over bfloat16 it stays beside them.
    plain = 0 if precision == "bfloat16" else size.linear * BYTES[precision]
    return adapter + plain, adapter


def _evaluation(stage: Stage, size: Size, execution: Execution, precision: str, longest: int) -> int:
    """Casts and KV cache of the largest evaluation; ``longest`` stands for the tokens of a prompt."""
    if not stage.evaluate:
        return 0
    casts = _cast_bytes(precision) * size.parameters
    cached = 0
    for _, evaluation in stage.evaluate:
        rows = min(execution.evaluation_batch, len(evaluation.probes.probes))
        tokens = longest + evaluation.generation.max_new_tokens
        cached = max(cached, rows * tokens * size.layers * size.key_width * CACHED[precision])
    return casts + cached
