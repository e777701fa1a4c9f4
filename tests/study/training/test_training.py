"""The loop against ten lines of plain torch, and its refusals."""

import pytest
import torch
from torch.nn import functional

from study.errors import DivergedError, PreflightError
from study.models.resident import Resident
from study.planning.stages import Trajectory
from study.text.examples import Corpus, Example
from study.training.data_order import batch_indices
from study.training.encoding import encode
from study.training.loop import train


def trajectory_of(plan, kind: str) -> Trajectory:
    return next(stage.node for stage in plan.stages.values() if stage.kind == kind)


@pytest.mark.parametrize(("kind", "sign"), [("unlearn", -1.0), ("finetune", 1.0), ("relearn", 1.0)])
def test_steps_equal_plain_torch(planned, kind: str, sign: float) -> None:
    """Gradient ascent descends on minus the mean token loss; the others on the mean token loss."""
    node = trajectory_of(planned(), kind)
    ours, oracle = Resident(node.source), Resident(node.source)
    train(node, ours, 4, stops=(), reached=pytest.fail, micro_batch=32)

    settings, model = node.optimiser, oracle.model
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=0.01)
    for step in range(4):
        chosen = batch_indices(len(node.data), settings.batch_size, node.seed, node.kind, step)
        texts = [node.data.examples[index].completion for index in chosen]
        ids = [torch.tensor(oracle.tokenizer(text)["input_ids"]) for text in texts]
        logits = [model(input_ids=row[None]).logits[0, :-1] for row in ids]  # one by one: no padding
        loss = functional.cross_entropy(torch.cat(logits), torch.cat([row[1:] for row in ids]))
        model.zero_grad()
        (sign * loss).backward()
        if settings.gradient_clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip)
        warm = min(1, (step + 1) / settings.warmup_steps) if settings.warmup_steps else 1
        optimiser.param_groups[0]["lr"] = settings.learning_rate * warm
        optimiser.step()

    assert apart(ours, oracle, since=Resident(node.source)) < 1e-3


def apart(one: Resident, other: Resident, since: Resident) -> float:
    """Distance of two models as a share of how far they moved; rounding alone gives about 1e-5.

    Not element by element: Adam turns a gradient that is almost 0 into a step of full size.
    """
    flat = [torch.cat([value.flatten() for value in r.weights().values()]) for r in (one, other, since)]
    moved = float((flat[0] - flat[2]).norm())
    assert moved > 1e-2
    return float((flat[0] - flat[1]).norm()) / moved


def test_micro_batches_average_over_tokens(planned) -> None:
    """Cutting a batch up differently is execution: the same steps up to rounding."""
    node = trajectory_of(planned(), "finetune")
    one, other = Resident(node.source), Resident(node.source)
    train(node, one, 3, stops=(), reached=pytest.fail, micro_batch=1)
    train(node, other, 3, stops=(), reached=pytest.fail, micro_batch=32)
    assert apart(one, other, since=Resident(node.source)) < 1e-3


def test_the_prompt_bears_no_loss(planned) -> None:
    resident = Resident(trajectory_of(planned(), "finetune").source)
    corpus = Corpus((Example(prompt="John Paul", completion="Kevin"),))
    (row,) = encode(corpus, resident.tokenizer, 128)
    assert resident.tokenizer.decode(row.ids[row.prompt :]) == " Kevin"


def test_an_absurd_rate_is_recorded_as_diverged(planned) -> None:
    plan = planned(unlearn={"learning_rate": 1e30, "batch_size": 3})
    node = trajectory_of(plan, "unlearn")
    reached = []
    with pytest.raises(DivergedError, match=r"unlearn diverged.*1e\+30"):
        train(node, Resident(node.source), 8, stops=(8,), reached=lambda *a: reached.append(a), micro_batch=8)
    assert reached == []


@pytest.mark.parametrize(("text", "words"), [("John " * 200, "context is 128"), ("", "no token to learn")])
def test_texts_that_cannot_be_learned_are_refused(planned, text: str, words: str) -> None:
    resident = Resident(trajectory_of(planned(), "finetune").source)
    with pytest.raises(PreflightError, match=words):
        encode(Corpus((Example("John Paul"), Example(text))), resident.tokenizer, resident.context)


def test_dropout_is_a_function_of_the_step_alone(planned, tmp_path) -> None:
    """Evaluating in between, or drawing elsewhere, changes nothing even where a model draws itself."""
    node = trajectory_of(planned(), "relearn")
    results = []
    for disturb in (False, True):
        resident = Resident(node.source)
        resident.model.config.attention_dropout = 0.5
        for layer in resident.model.model.layers:
            layer.self_attn.attention_dropout = 0.5
        stops = (1, 2) if disturb else ()
        train(node, resident, 3, stops=stops, reached=lambda *a: torch.rand(7), micro_batch=8)
        results.append(resident.weights())
    calm = Resident(node.source)
    train(node, calm, 3, stops=(), reached=pytest.fail, micro_batch=8)
    one, other = results
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any(not torch.equal(one[name], value) for name, value in calm.weights().items())
