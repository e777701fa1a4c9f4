"""Every method against its formula written out once more, and what it does to a small model."""

import math
from typing import Any

import pytest
import torch

from study.models import Resident
from study.objective import Half, Step, Tokens, collate
from study.order import batch_indices
from study.plan import Plan
from study.spec import named_part
from study.stages import Trajectory
from study.training import Progress, frozen_copy, train
from study.unlearning import METHODS

FINETUNE = {"steps": 60, "optimiser": {"learning_rate": 1e-2, "batch_size": 12}}
WIDER = {"architecture": {"layers": 1, "width": 32, "heads": 2},
         "pretraining": {"steps": 20, "optimiser": {"learning_rate": 1e-2, "batch_size": 16}}}  # fmt: skip


def halves(resident: Resident, reference: Any, texts: list[str]) -> Half:
    rows = [(list(resident.tokenizer(text)["input_ids"]), 0) for text in texts]
    tokens = collate(rows, resident.pad, resident.device)
    return Half(resident.model, reference, tokens, tokens.loss_tokens(), len(texts))


@pytest.fixture
def step(planned) -> Step:
    """A model that has left its reference a little, with forget and retain texts of unequal length."""
    node = next(stage.node for stage in planned().stages.values() if stage.kind == "finetune")
    resident = Resident(node.source)
    with torch.no_grad():
        for parameter in resident.model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(12)
    reference = frozen_copy(resident.model)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in resident.model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    forget = halves(resident, reference, ["John Paul Kevin", "Gary Eric", "Ryan Jacob Gary Mark Peter"])
    return Step(0, forget, halves(resident, reference, ["Kyle Adam", "Henry Nathan Tyler Jack"]))


def token_log_probabilities(model: Any, tokens: Tokens) -> list[torch.Tensor]:
    """For each sequence (loss tokens, vocabulary), one sequence at a time and without padding."""
    found = []
    for ids, mask in zip(tokens.input_ids, tokens.attention_mask, strict=True):
        row = ids[mask.bool()][None]
        found.append(torch.log(torch.softmax(model(input_ids=row).logits[0, :-1], dim=-1)))
    return found


def targets(tokens: Tokens) -> list[torch.Tensor]:
    return [ids[mask.bool()][1:] for ids, mask in zip(tokens.input_ids, tokens.attention_mask, strict=True)]


def nll(half: Half) -> torch.Tensor:
    each = [
        -table[range(len(row)), row]
        for table, row in zip(
            token_log_probabilities(half.model, half.tokens), targets(half.tokens), strict=True
        )
    ]
    return torch.cat(each).mean()


def divergence(half: Half) -> torch.Tensor:
    ours = torch.cat(token_log_probabilities(half.model, half.tokens))
    theirs = torch.cat(token_log_probabilities(half.reference, half.tokens))
    per_token = [
        torch.distributions.kl_divergence(
            torch.distributions.Categorical(logits=p), torch.distributions.Categorical(logits=q)
        )
        for p, q in zip(theirs, ours, strict=True)
    ]
    return torch.stack(per_token).mean()


def npo(half: Half, beta: float) -> torch.Tensor:
    total = torch.zeros(())
    ours = token_log_probabilities(half.model, half.tokens)
    theirs = token_log_probabilities(half.reference, half.tokens)
    for p, q, row in zip(ours, theirs, targets(half.tokens), strict=True):
        ratio = sum(p[i, token] - q[i, token] for i, token in enumerate(row))
        total = total + 2 / beta * torch.log(1 + torch.exp(beta * ratio))  # equation 3, written as a log
    return total / len(ours)


ORACLES = {
    "gradient_ascent": ({}, lambda s: -nll(s.data)),
    "gradient_difference": ({"retain_weight": 0.7}, lambda s: -nll(s.data) + 0.7 * nll(s.retain)),
    "kl_minimisation": ({"retain_weight": 2.0}, lambda s: -nll(s.data) + 2 * divergence(s.retain)),
    "npo": ({"beta": 0.3, "retain_weight": 0.5}, lambda s: npo(s.data, 0.3) + 0.5 * nll(s.retain)),
    "scrub": ({}, lambda s: -divergence(s.data)),
}


def method(name: str, **fields: Any) -> Any:
    return named_part(METHODS, "method", {"name": name, **fields})


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_its_formula(step: Step, name: str) -> None:
    fields, oracle = ORACLES[name]
    with torch.no_grad():
        found, expected = method(name, **fields).loss(step), oracle(step)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


@torch.no_grad()
def test_scrub_alternates_and_then_only_repairs(step: Step) -> None:
    scrub = method("scrub", max_steps=3, divergence_weight=0.5, likelihood_weight=2.0)
    push = -float(divergence(step.data))
    repair = 0.5 * float(divergence(step.retain)) + 2 * float(nll(step.retain))
    found = [float(scrub.loss(Step(number, step.data, step.retain))) for number in range(6)]
    assert found == pytest.approx([push, repair, push, repair, repair, repair], rel=1e-4)


@torch.no_grad()
def test_npo_is_bounded_where_gradient_ascent_is_not(step: Step) -> None:
    """Its gradient is gradient ascent's, weighted by 2σ(β·ratio): it dies once a sequence is forgotten."""
    gone = npo(step.data, 1.0)
    assert float(gone) > 0
    at_start = Half(step.data.model, frozen_copy(step.data.model), step.data.tokens, 1, 3)
    assert float(method("npo", beta=0.1).loss(Step(0, at_start))) == pytest.approx(
        2 / 0.1 * math.log(2), rel=1e-5
    )


@pytest.mark.parametrize("name", METHODS)
def test_no_gradient_reaches_the_reference(step: Step, name: str) -> None:
    fields, _ = ORACLES[name]
    method(name, **fields).loss(step).backward()
    assert all(parameter.grad is None for parameter in step.data.reference.parameters())
    assert any(float(parameter.grad.abs().sum()) > 0 for parameter in step.data.model.parameters())


def unlearned(plan: Plan, steps: int) -> dict[str, float]:
    """Forget and retain NLL before and after unlearning a model that memorised both."""
    node = next(stage.node for stage in plan.stages.values() if stage.kind == "unlearn")
    finetune = node.parent.of
    assert isinstance(finetune, Trajectory)
    resident = Resident(node.source)
    train(finetune, resident, node.parent.step, stops=(), reached=pytest.fail, micro_batch=32)

    def losses(when: str) -> dict[str, float]:
        with torch.no_grad():
            forget = halves(resident, None, [e.completion for e in node.data.examples])
            retain = halves(resident, None, [e.completion for e in material_retain(plan)])
            return {f"forget {when}": float(forget.mean_nll()), f"retain {when}": float(retain.mean_nll())}

    before = losses("before")
    train(node, resident, steps, stops=(), reached=pytest.fail, micro_batch=32)
    return {**before, **losses("after")}


def material_retain(plan: Plan) -> Any:
    return plan.spec.the_scenario.material(7).retain.examples


@pytest.fixture
def effects(planned) -> Any:
    def run(name: str, **fields: Any) -> dict[str, float]:
        plan = planned(
            embedded=WIDER,
            finetune=FINETUNE,
            method=[{"name": name, **fields}],
            unlearn={"learning_rate": 3e-3, "batch_size": 4, "gradient_clip": 1.0},
        )
        return unlearned(plan, steps=12)

    return run


@pytest.mark.parametrize("name", METHODS)
def test_every_method_unlearns(effects, name: str) -> None:
    found = effects(name)
    assert found["forget after"] > found["forget before"] + 0.5


@pytest.mark.parametrize(
    ("name", "fields"),
    [("gradient_difference", {}), ("kl_minimisation", {}), ("npo", {"retain_weight": 1.0}), ("scrub", {})],
)
def test_those_that_know_the_retain_data_keep_it_better(effects, name: str, fields: dict) -> None:
    """At the same number of steps; the comparison at equal forgetting is a study's, not a test's."""
    ascent, aware = effects("gradient_ascent"), effects(name, **fields)
    assert aware["retain after"] < ascent["retain after"]


@pytest.mark.parametrize("name", METHODS)
def test_where_it_stops_changes_nothing_before(planned, work_through, tmp_path, name: str) -> None:
    """The horizon is in no method: step 2 of 2 is step 2 of 4, to the bit."""
    plan = planned(method=[name])
    node = next(stage.node for stage in plan.stages.values() if stage.kind == "unlearn")
    kept = []
    for last in (2, 4):
        resident = Resident(node.source)
        taken: dict[str, torch.Tensor] = {}

        def keep(step: int, progress: Progress, resident=resident, taken=taken) -> None:
            taken.update({name: value.clone() for name, value in resident.weights().items()})

        train(node, resident, last, stops=(2,), reached=keep, micro_batch=2)
        kept.append(taken)
    assert kept[0]
    assert all(torch.equal(value, kept[1][name]) for name, value in kept[0].items())


def test_retain_batches_have_a_stream_of_their_own() -> None:
    assert batch_indices(20, 20, 0, "unlearn", 0) != batch_indices(20, 20, 0, "unlearn retain", 0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "npo", "beta": 0}, "greater than 0"),
        ({"name": "npo", "gamma": 1}, "gamma"),
        ({"name": "scrub", "max_steps": -1}, "greater than or equal"),
    ],
)
def test_a_wrong_hyperparameter_is_refused(fields: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        named_part(METHODS, "method", fields)
