"""What is told before a stage runs, beside a table made by hand and beside what processes really took."""

from typing import Any

import pytest

from study.models.memory import Need, Size, size_of_config, stage_need
from study.planning.stages import Checkpoint, Evaluation, Pretrained, Stage, Trajectory
from study.settings.execution import Execution
from study.settings.model import Generation
from study.settings.optimiser import LoRA, Optimiser
from study.text.examples import Corpus, Example, Probe, ProbeSet
from study.unlearning import METHODS

GIBIBYTE = 2**30
LLAMA_2_7B = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "tie_word_embeddings": False,
}
SMOLLM2_135M = {
    "model_type": "llama",
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
}
CORPUS = Corpus((Example("text"),))
R16 = LoRA(rank=16)
PROBES = ProbeSet(tuple(Probe(f"p{at}", "forget", "Who?", "Anna") for at in range(64)))


def need(
    config: dict[str, Any],
    precision: str = "mixed",
    *,
    lora: LoRA | None = None,
    method: str | None = None,
    longest: int = 64,
    new_tokens: int | None = None,
    last_step: int = 1,
    **execution: Any,
) -> Need:
    """Of a training of batches of 8 texts, with or without an evaluation of 64 probes."""
    source = Pretrained("model", "x", "sdpa", precision)
    optimiser = Optimiser(learning_rate=1e-4, batch_size=8, lora=lora)
    unlearning = METHODS[method]() if method is not None else None
    retain = CORPUS if method is not None else None
    node = Trajectory("unlearn", Checkpoint(source, 0), unlearning, CORPUS, retain, optimiser, 0)
    asked = () if new_tokens is None else ((1, Evaluation(PROBES, Generation(max_new_tokens=new_tokens))),)
    stage = Stage(node, (last_step,), asked)
    return stage_need(
        stage, size_of_config(config), Execution.model_validate({"gpus": 1, **execution}), longest
    )


def test_sizes_from_a_configuration_alone() -> None:
    assert size_of_config(LLAMA_2_7B) == Size(6_738_415_616, 32, 4096, 11008, 4096, 32000)
    assert size_of_config(SMOLLM2_135M).parameters == 134_515_008
    assert size_of_config(LLAMA_2_7B).adapter(R16) == pytest.approx(40.0e6, rel=0.01)
    assert size_of_config(SMOLLM2_135M).adapter(R16) == pytest.approx(4.88e6, rel=0.01)


BY_HAND = [
    # Two micro-batches: weights, gradients and moments (100.4), casts 12.5, activations 3.5 or 28, logits 0.2 or 1.7.
    (
        LLAMA_2_7B,
        {"micro_batch": 8, "longest": 64},
        100,
    ),  # one micro-batch: gradients, when activations are gone
    (LLAMA_2_7B, {"micro_batch": 4, "longest": 128}, 117),
    (LLAMA_2_7B, {"micro_batch": 4, "longest": 1024}, 143),
    (LLAMA_2_7B, {"lora": R16, "longest": 64}, 50),  # at a stop; a step takes 42
    (LLAMA_2_7B, {"lora": R16, "longest": 512}, 65),
    (LLAMA_2_7B, {"precision": "bfloat16", "lora": R16, "longest": 512}, 49),
    (LLAMA_2_7B, {"method": "kl_minimisation", "micro_batch": 4, "longest": 128}, 146),
    (LLAMA_2_7B, {"method": "kl_minimisation", "micro_batch": 4, "longest": 1024}, 200),
    (SMOLLM2_135M, {"micro_batch": 4, "longest": 128}, 3.0),
    (SMOLLM2_135M, {"micro_batch": 4, "longest": 1024}, 8.6),
    (SMOLLM2_135M, {"lora": R16, "longest": 512}, 6.8),
    (SMOLLM2_135M, {"method": "kl_minimisation", "micro_batch": 4, "longest": 1024}, 18.8),
    (
        SMOLLM2_135M,
        {"precision": "float32", "method": "kl_minimisation", "micro_batch": 4, "longest": 1024},
        23.5,
    ),
]


@pytest.mark.parametrize(("config", "changes", "gibibytes"), BY_HAND)
def test_the_table_by_hand(config: dict[str, Any], changes: dict[str, Any], gibibytes: float) -> None:
    """GiB on the GPU, of batches of 8 texts, without what CUDA itself takes."""
    assert need(config, **changes).device / GIBIBYTE == pytest.approx(gibibytes, rel=0.05)


def test_an_adapter_on_7b_fits_a_card_of_80_gb() -> None:
    """At a stop: weights 25.1, the plain ones beside the merged 24.1, casts 12.5, and 64 probes' cache."""
    of = {"lora": R16, "longest": 64, "new_tokens": 40}
    assert need(LLAMA_2_7B, **of).device < 79.1 * GIBIBYTE
    cache = 64 * 300 * 32 * 4096 * 6
    at_a_stop = need(LLAMA_2_7B, lora=R16, longest=260, new_tokens=40).device
    assert at_a_stop / GIBIBYTE == pytest.approx(25.1 + 24.1 + 12.5 + 0.45 + cache / GIBIBYTE, rel=0.02)


def test_layers_over_several_cards() -> None:
    """An adapter on 7B: a share of what one card takes, and by how much whole layers are uneven."""
    one, two, four = (
        need(LLAMA_2_7B, lora=R16, longest=512, gpus=gpus).device / GIBIBYTE for gpus in (1, 2, 4)
    )
    layer = 202_383_360 * 6 / GIBIBYTE
    logits = 8 * 512 * 32000 * 14 / GIBIBYTE
    for cards, told in ((2, two), (4, four)):
        assert told == pytest.approx(logits + (one - logits) / cards + 2 * layer, rel=0.01)
    assert need(LLAMA_2_7B, lora=R16, gpus=4).host == need(LLAMA_2_7B, lora=R16, gpus=1).host


def test_layers_in_main_memory() -> None:
    """An adapter on 7B in mixed: embedding, output layer and two layers, with casts, and what a step takes."""
    kept = need(LLAMA_2_7B, lora=R16, longest=512, offload="cpu")
    embeddings, layers = 2 * 32000 * 4096 * 6, 2 * 202_383_360 * 6
    adapter = 4 * 4 * 40.0e6
    activations = 8 * 512 * 4096 * (51 + 32 * 4)
    logits = 8 * 512 * 32000 * 14
    by_hand = embeddings + layers + adapter + activations + logits
    assert kept.device == pytest.approx(by_hand, rel=0.02)
    # The process's own copy, the one that computes, and the plain weights beside the merged.
    assert kept.host / GIBIBYTE == pytest.approx(0.5 + 3 * 25.1, rel=0.02)
    frozen = need(LLAMA_2_7B, lora=R16, longest=512, offload="cpu", method="kl_minimisation")
    assert frozen.host - kept.host == 4 * 6_738_415_616


def test_the_machines_memory_is_told_apart() -> None:
    """Beside a GPU: the process's own copy of the model, and a file or a state on its way to disk."""
    beside = need(LLAMA_2_7B, lora=R16)
    assert beside.host / GIBIBYTE == pytest.approx(0.5 + 2 * 25.1, rel=0.02)
    alone = need(LLAMA_2_7B, lora=R16, gpus=0)
    assert alone.device == 0
    assert alone.host / GIBIBYTE == pytest.approx(0.5 + 25.1 + beside.device / GIBIBYTE, rel=0.02)


def test_a_state_is_fetched_from_the_card_to_be_written() -> None:
    """By hand, GiB: the process's own copy, 25.1, and weights and moments, 75.3; an adapter's are 0.4."""
    every_step = {"checkpoint_every_steps": 1}
    assert need(LLAMA_2_7B, last_step=2, **every_step).host / GIBIBYTE == pytest.approx(100.9, rel=0.01)
    assert need(LLAMA_2_7B, last_step=1, **every_step).host / GIBIBYTE == pytest.approx(50.7, rel=0.01)
    adapter = need(LLAMA_2_7B, lora=R16, last_step=2, **every_step)
    assert adapter.host == need(LLAMA_2_7B, lora=R16).host


@pytest.mark.parametrize(("gpus", "gibibytes"), [(2, 75.1), (4, 50.0), (8, 34.5)])
def test_all_weights_of_7b_on_several_cards(gpus: int, gibibytes: float) -> None:
    """By hand, GiB a card. A step has 100.4 in shards, casts 12.5, 5 groups of 1.0, activations and logits of 2 x 512
    tokens 7.4 (of 1 x 512 on 8 cards); at a stop 75.3 are in shards, and the first card has all weights, 25.1.
    """
    told = need(LLAMA_2_7B, longest=512, micro_batch=2, gpus=gpus)
    assert told.device / GIBIBYTE == pytest.approx(gibibytes, rel=0.01)
    assert told.host / GIBIBYTE == pytest.approx(gpus * (0.5 + 25.1), rel=0.01)


def test_processes_on_the_cpu_share_the_machines_memory() -> None:
    """By hand, GiB: the first's own copy, weights, gradients and moments in shards, and the passes of both."""
    told = need(LLAMA_2_7B, precision="float32", longest=64, micro_batch=2, gpus=0, processes=2)
    assert told.device == 0
    assert told.host / GIBIBYTE == pytest.approx(2 * 0.5 + 25.1 + 4 * 25.1 + 2 * (1.3 + 0.1 + 4.9), rel=0.01)
