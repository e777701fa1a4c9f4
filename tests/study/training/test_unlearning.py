"""Every method against its formula written out once more, and what it does to a small model."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from study.identity import derived_seed
from study.models.resident import Resident, frozen_copy
from study.planning.plan import Plan
from study.planning.stages import Trajectory
from study.spec import named_part
from study.training.batches import aligned, collate
from study.training.encoding import Encoded
from study.training.loop import train
from study.training.training_state import Progress
from study.unlearning import METHODS
from study.unlearning.objective import MicroBatch, Models, Step, Tokens, Translation

FINETUNE = {"steps": 60, "optimiser": {"learning_rate": 1e-2, "batch_size": 12}}
WIDER = {"architecture": {"layers": 1, "width": 32, "heads": 2},
         "pretraining": {"steps": 20, "optimiser": {"learning_rate": 1e-2, "batch_size": 16}}}  # fmt: skip


def tokens_of(resident: Resident, texts: list[str]) -> Tokens:
    rows = [Encoded(list(resident.tokenizer(text)["input_ids"]), 0, 0, False) for text in texts]
    return collate(rows, resident)


def micro_batch(resident: Resident, reference: Any, texts: list[str], helper: Any = None) -> MicroBatch:
    tokens = tokens_of(resident, texts)
    return MicroBatch(Models(resident.model, reference, helper), tokens, tokens.loss_tokens(), len(texts))


@pytest.fixture
def step(planned) -> Step:
    """A model that has left its reference a little, with forget and retain texts of unequal length."""
    node = next(stage.node for stage in planned().stages.values() if stage.kind == "finetune")
    resident = Resident(node.source)
    with torch.no_grad():
        for parameter in resident.model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(12)
    torch.manual_seed(3)
    reference, helper = moved(resident.model, 0), moved(resident.model, 0.1)
    with torch.no_grad():
        for parameter in resident.model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    texts = ["John Paul Kevin", "Gary Eric", "Ryan Jacob Gary Mark Peter"]
    forget = micro_batch(resident, reference, texts, helper)
    return Step(0, forget, micro_batch(resident, reference, ["Kyle Adam", "Henry Nathan Tyler Jack"]))


def moved(model: Any, distance: float) -> Any:
    other = frozen_copy(model)
    for parameter in other.parameters():
        parameter.add_(distance * torch.randn_like(parameter))
    return other


def token_log_probabilities(model: Any, tokens: Tokens) -> list[torch.Tensor]:
    """For each sequence (loss tokens, vocabulary), one sequence at a time and without padding."""
    found = []
    for ids, mask in zip(tokens.input_ids, tokens.attention_mask, strict=True):
        row = ids[mask.bool()][None]
        found.append(torch.log(torch.softmax(model(input_ids=row).logits[0, :-1], dim=-1)))
    return found


def targets(tokens: Tokens) -> list[torch.Tensor]:
    return [ids[mask.bool()][1:] for ids, mask in zip(tokens.input_ids, tokens.attention_mask, strict=True)]


def nll(batch: MicroBatch) -> torch.Tensor:
    each = [
        -table[range(len(row)), row]
        for table, row in zip(
            token_log_probabilities(batch.models.model, batch.tokens), targets(batch.tokens), strict=True
        )
    ]
    return torch.cat(each).mean()


def divergence(batch: MicroBatch) -> torch.Tensor:
    ours = torch.cat(token_log_probabilities(batch.models.model, batch.tokens))
    theirs = torch.cat(token_log_probabilities(batch.models.reference, batch.tokens))
    per_token = [
        torch.distributions.kl_divergence(
            torch.distributions.Categorical(logits=p), torch.distributions.Categorical(logits=q)
        )
        for p, q in zip(theirs, ours, strict=True)
    ]
    return torch.stack(per_token).mean()


def npo(batch: MicroBatch, beta: float) -> torch.Tensor:
    total = torch.zeros(())
    ours = token_log_probabilities(batch.models.model, batch.tokens)
    theirs = token_log_probabilities(batch.models.reference, batch.tokens)
    for p, q, row in zip(ours, theirs, targets(batch.tokens), strict=True):
        ratio = sum(p[i, token] - q[i, token] for i, token in enumerate(row))
        total = total + 2 / beta * torch.log(1 + torch.exp(beta * ratio))  # equation 3, written as a log
    return total / len(ours)


def whp(batch: MicroBatch, strength: float) -> torch.Tensor:
    """Equation 1 of the paper on raw logits, one sequence and one token at a time."""
    total, count = torch.zeros(()), 0
    for ids, mask in zip(batch.tokens.input_ids, batch.tokens.attention_mask, strict=True):
        row = ids[mask.bool()][None]
        ours, baseline, reinforced = (
            model(input_ids=row).logits[0, :-1]
            for model in (batch.models.model, batch.models.reference, batch.models.helper)
        )
        for position in range(row.shape[1] - 1):
            special = (reinforced[position] - baseline[position]).clamp(min=0)
            label = int((baseline[position] - strength * special).argmax())
            total = total - torch.log(torch.softmax(ours[position], dim=0))[label]
            count += 1
    return total / count


def rmu(step: Step, coefficient: float, weight: float) -> torch.Tensor:
    """The two mean squares of the paper, on the outputs of the first layer, sequence by sequence."""

    def states(model: Any, batch: MicroBatch) -> torch.Tensor:
        found: list[torch.Tensor] = []
        layer = model.model.layers[0]
        hook = layer.register_forward_hook(lambda module, inputs, output: found.append(output))
        for ids, mask in zip(batch.tokens.input_ids, batch.tokens.attention_mask, strict=True):
            model(input_ids=ids[mask.bool()][None])
        hook.remove()
        return torch.cat([output[0, :-1] for output in found])

    forget = states(step.data.models.model, step.data)
    stream = torch.Generator().manual_seed(derived_seed(step.seed, "rmu", "direction"))
    direction = torch.nn.functional.normalize(torch.rand(forget.shape[1], generator=stream), dim=0)
    retain = step.retain
    apart = states(retain.models.model, retain) - states(retain.models.reference, retain)
    return ((forget - coefficient * direction) ** 2).mean() + weight * (apart**2).mean()


ORACLES = {
    "gradient_ascent": ({}, lambda s: -nll(s.data)),
    "gradient_difference": ({"retain_weight": 0.7}, lambda s: -nll(s.data) + 0.7 * nll(s.retain)),
    "kl_minimisation": ({"retain_weight": 2.0}, lambda s: -nll(s.data) + 2 * divergence(s.retain)),
    "npo": ({"beta": 0.3, "retain_weight": 0.5}, lambda s: npo(s.data, 0.3) + 0.5 * nll(s.retain)),
    "scrub": ({}, lambda s: -divergence(s.data)),
    "rmu": ({"steering_coefficient": 3.0, "retain_weight": 5.0}, lambda s: rmu(s, 3.0, 5.0)),
    "whp": ({"strength": 2.0}, lambda s: whp(s.data, 2.0)),
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


@pytest.mark.parametrize("beta", [1e-4, 1.0, 20.0])
def test_npo_is_gradient_ascent_that_fades_where_a_sequence_is_forgotten(step: Step, beta: float) -> None:
    """Its gradient is the mean of the sequences' own, each weighted by 2σ(β log(π/π_start)): 1 as β goes to 0."""
    model, parameters = step.data.models.model, list(step.data.models.model.parameters())

    def gradient(loss: torch.Tensor) -> torch.Tensor:
        return torch.cat([each.flatten() for each in torch.autograd.grad(loss, parameters)])

    def likelihoods(which: Any) -> list[torch.Tensor]:
        tables = token_log_probabilities(which, step.data.tokens)
        rows = targets(step.data.tokens)
        return [table[range(len(row)), row].sum() for table, row in zip(tables, rows, strict=True)]

    found = gradient(method("npo", beta=beta).loss(step))
    ours, start = likelihoods(model), likelihoods(step.data.models.reference)
    weights = [
        2 / (1 + math.exp(-beta * float((one - other).detach())))
        for one, other in zip(ours, start, strict=True)
    ]
    expected = sum(weight * gradient(one) for weight, one in zip(weights, ours, strict=True)) / len(ours)
    assert float((found - expected).norm() / expected.norm()) < 1e-3
    spread = max(weights) - min(weights)
    assert spread < 0.01 if beta < 1e-3 else spread > 0.1, "the ratios differ, so that the weights are tested"


@pytest.mark.parametrize("name", METHODS)
def test_no_gradient_reaches_the_reference(step: Step, name: str) -> None:
    fields, _ = ORACLES[name]
    method(name, **fields).loss(step).backward()
    assert all(parameter.grad is None for parameter in step.data.models.reference.parameters())
    assert any(float(parameter.grad.abs().sum()) > 0 for parameter in step.data.models.model.parameters())


@torch.no_grad()
def test_whp_reads_the_generic_text_where_there_is_one(step: Step, planned) -> None:
    """The baseline's word for the term's place comes from the text with another term."""
    node = next(stage.node for stage in planned().stages.values() if stage.kind == "finetune")
    resident = Resident(node.source)
    original, generic = ["Gary Mark Peter Kyle"], ["Gary Adam Peter Kyle"]
    translated = tokens_of(resident, generic)
    plain = micro_batch(resident, step.data.models.reference, original, step.data.models.helper)
    places = torch.tensor([aligned(plain.tokens.input_ids[0].tolist(), translated.input_ids[0].tolist())])
    batch = replace(plain, translation=Translation(translated, places, plain.tokens.loss_places))
    logits, _ = batch.generic_logits
    expected = step.data.models.reference(input_ids=translated.input_ids).logits[0, :-1]
    assert torch.equal(logits[0], expected)
    assert bool((places >= 0).all())
    assert not torch.equal(logits, plain.reference_logits)


@pytest.mark.parametrize(
    ("ids", "generic", "places"),
    [
        ([1, 5, 6, 7], [1, 5, 6, 7], [0, 1, 2]),
        ([1, 5, 9, 7], [1, 5, 8, 7], [0, 1, 2]),
        ([1, 5, 9, 10, 7], [1, 5, 8, 7], [0, 1, -1, 2]),  # a term of two tokens for one
        ([1, 9, 7, 9, 3], [1, 8, 4, 7, 8, 4, 3], [0, 2, 3, 5]),  # and the other way round, twice
    ],
)
def test_counterparts(ids: list[int], generic: list[int], places: list[int]) -> None:
    assert aligned(ids, generic) == places


def unlearned(plan: Plan, steps: int, folder: Path) -> dict[str, float]:
    """Forget and retain NLL before and after unlearning a model that memorised both."""
    node = next(stage.node for stage in plan.stages.values() if stage.kind == "unlearn")
    finetune = node.parent.of
    assert isinstance(finetune, Trajectory)
    resident = Resident(node.source)
    train(finetune, resident, node.parent.step, stops=(), reached=pytest.fail, micro_batch=32)
    finetuned, helper = folder / "finetuned", None
    resident.save(finetuned)
    if node.helper is not None:
        train(node.helper.of, resident, node.helper.step, stops=(), reached=pytest.fail, micro_batch=32)
        helper = [folder / "helper"]
        resident.save(*helper)
        resident.load(finetuned)

    def losses(when: str) -> dict[str, float]:
        with torch.no_grad():
            forget = micro_batch(resident, None, [e.completion for e in node.data.examples])
            retain = micro_batch(resident, None, [e.completion for e in material_retain(plan)])
            return {f"forget {when}": float(forget.mean_nll()), f"retain {when}": float(retain.mean_nll())}

    before = losses("before")
    train(node, resident, steps, stops=(), reached=pytest.fail, micro_batch=32, helper=helper)
    return {**before, **losses("after")}


def material_retain(plan: Plan) -> Any:
    return plan.spec.the_scenario.material(7).retain.examples


@pytest.fixture
def effects(planned, tmp_path: Path) -> Any:
    def run(name: str, **fields: Any) -> dict[str, float]:
        plan = planned(
            embedded=WIDER,
            finetune=FINETUNE,
            method=[{"name": name, **fields}],
            unlearn={"learning_rate": 3e-3, "batch_size": 4, "gradient_clip": 1.0},
        )
        return unlearned(plan, 12, tmp_path)

    return run


REINFORCED = {"steps": 40, "optimiser": {"learning_rate": 3e-3, "batch_size": 4}}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_unlearns(effects, name: str) -> None:
    found = effects(name, **({"reinforcement": REINFORCED} if name == "whp" else {}))
    assert found["forget after"] > found["forget before"] + 0.5


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("gradient_difference", {}),
        ("kl_minimisation", {}),
        ("npo", {"retain_weight": 1.0}),
        ("scrub", {}),
        ("rmu", {}),
    ],
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
        helper = tmp_path / "helper"
        resident.save(helper)
        taken: dict[str, torch.Tensor] = {}

        def keep(step: int, progress: Progress, product: object, resident=resident, taken=taken) -> None:
            taken.update({name: value.clone() for name, value in resident.weights().items()})

        train(node, resident, last, stops=(2,), reached=keep, micro_batch=2, helper=[helper])
        kept.append(taken)
    assert kept[0]
    assert all(torch.equal(value, kept[1][name]) for name, value in kept[0].items())


def test_retain_batches_have_a_stream_of_their_own(planned) -> None:
    """On one corpus the two terms of gradient difference would cancel if both drew the same examples."""
    plan = planned(method=["gradient_difference"])
    node = next(stage.node for stage in plan.stages.values() if stage.kind == "unlearn")
    assert node.optimiser.batch_size < len(node.data)
    resident = Resident(node.source)
    before = {name: value.clone() for name, value in resident.weights().items()}
    train(replace(node, retain=node.data), resident, 1, stops=(), reached=pytest.fail, micro_batch=32)
    decay = 1 - node.optimiser.learning_rate * node.optimiser.weight_decay
    assert not all(torch.allclose(value, decay * before[name]) for name, value in resident.weights().items())
