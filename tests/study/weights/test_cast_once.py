"""What makes evaluations and steps faster changes no bit: weights that are cast once, masks ready for the kernel."""

import pytest
import torch

from study.evaluation.answering import generation
from study.evaluation.answering.generation import answer_probes
from study.models.devices import attention_mask
from study.models.devices.attention_mask import causal_mask
from study.models.resident import Resident
from study.training.batches import collate
from study.training.encoding import Encoded
from study.unlearning.objective import next_token_logits


@pytest.fixture
def resident(planned) -> Resident:
    plan = planned(precision="mixed", embedded={"architecture": {"layers": 2, "width": 32, "heads": 2}})
    return Resident(next(iter(plan.stages.values())).node.source)


@pytest.fixture
def probes(planned):
    return next(iter(planned().stages.values())).evaluate[0][1].probes


def test_weights_that_are_cast_once_answer_to_the_bit(resident: Resident, probes, monkeypatch) -> None:
    before = {name: value.clone() for name, value in resident.weights().items()}
    casts: list[torch.dtype] = []
    linear = torch.nn.functional.linear

    def looking(inputs, weight, bias=None):
        casts.append(weight.dtype)
        return linear(inputs, weight, bias)

    monkeypatch.setattr(torch.nn.functional, "linear", looking)
    once = [answer.row() for answer in answer_probes(resident, probes, 6, 8)]
    assert set(casts) == {torch.bfloat16}
    monkeypatch.setattr(
        generation, "cast_once", lambda resident: torch.autograd.profiler.record_function("no")
    )
    casts.clear()
    assert once == [answer.row() for answer in answer_probes(resident, probes, 6, 8)]
    assert set(casts) == {torch.float32}
    assert all(torch.equal(value, before[name]) for name, value in resident.weights().items())
    assert all(parameter.requires_grad for parameter in resident.model.parameters())


@pytest.mark.parametrize("lengths", [(7, 7, 7), (9, 4, 6)])
def test_a_ready_mask_gives_the_same_bits(resident: Resident, lengths: tuple[int, ...]) -> None:
    """Of padded batches and of one that is not."""
    rows = [Encoded([5 + (7 * at) % 20 for at in range(length)], 0, 0, False) for length in lengths]
    tokens = collate(rows, resident)
    plain = next_token_logits(resident.model, tokens)
    ready = causal_mask(tokens.attention_mask, max(lengths))
    assert ready.shape == (3, 1, max(lengths), max(lengths))
    found = resident.model(input_ids=tokens.input_ids, attention_mask=ready, use_cache=False).logits[:, :-1]
    for row, length in enumerate(lengths):
        assert torch.equal(plain[row, : length - 1], found[row, : length - 1].float())


def test_a_ready_mask_covers_the_cache() -> None:
    """Left-padded prompts of 1 and 3 tokens, and two tokens more."""
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    expected = [[[0, 0, 1, 1, 0], [0, 0, 1, 1, 1]], [[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]]
    assert causal_mask(mask, 2)[:, 0].int().tolist() == expected


def test_only_models_that_attend_to_every_token_get_one(resident: Resident) -> None:
    assert attention_mask.keeps_every_token(resident.model.config)
    config = type(resident.model.config)(**{**resident.model.config.to_dict(), "sliding_window": 4})
    config.layer_types = ["sliding_attention"] * config.num_hidden_layers
    assert not attention_mask.keeps_every_token(config)
