"""Every method against its formula written out once more, and what it does to a small model."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from study.identity import derived_seed
from study.models.resident import Resident, frozen_copy
from study.objective import Half, Models, Step, Tokens, Translation
from study.planning.plan import Plan
from study.planning.stages import Trajectory
from study.spec import named_part
from study.training.batches import aligned, collate
from study.training.data_order import batch_indices
from study.training.encoding import Encoded
from study.training.loop import train
from study.training.training_state import Progress
from study.unlearning import METHODS

FINETUNE = {"steps": 60, "optimiser": {"learning_rate": 1e-2, "batch_size": 12}}
WIDER = {"architecture": {"layers": 1, "width": 32, "heads": 2},
         "pretraining": {"steps": 20, "optimiser": {"learning_rate": 1e-2, "batch_size": 16}}}  # fmt: skip


def tokens_of(resident: Resident, texts: list[str]) -> Tokens:
    rows = [Encoded(list(resident.tokenizer(text)["input_ids"]), 0) for text in texts]
    return collate(rows, resident.pad, resident.device)


def halves(resident: Resident, reference: Any, texts: list[str], helper: Any = None) -> Half:
    tokens = tokens_of(resident, texts)
    return Half(Models(resident.model, reference, helper), tokens, tokens.loss_tokens(), len(texts))


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
    forget = halves(resident, reference, texts, helper)
    return Step(0, forget, halves(resident, reference, ["Kyle Adam", "Henry Nathan Tyler Jack"]))


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


def nll(half: Half) -> torch.Tensor:
    each = [
        -table[range(len(row)), row]
        for table, row in zip(
            token_log_probabilities(half.models.model, half.tokens), targets(half.tokens), strict=True
        )
    ]
    return torch.cat(each).mean()


def divergence(half: Half) -> torch.Tensor:
    ours = torch.cat(token_log_probabilities(half.models.model, half.tokens))
    theirs = torch.cat(token_log_probabilities(half.models.reference, half.tokens))
    per_token = [
        torch.distributions.kl_divergence(
            torch.distributions.Categorical(logits=p), torch.distributions.Categorical(logits=q)
        )
        for p, q in zip(theirs, ours, strict=True)
    ]
    return torch.stack(per_token).mean()


def npo(half: Half, beta: float) -> torch.Tensor:
    total = torch.zeros(())
    ours = token_log_probabilities(half.models.model, half.tokens)
    theirs = token_log_probabilities(half.models.reference, half.tokens)
    for p, q, row in zip(ours, theirs, targets(half.tokens), strict=True):
        ratio = sum(p[i, token] - q[i, token] for i, token in enumerate(row))
        total = total + 2 / beta * torch.log(1 + torch.exp(beta * ratio))  # equation 3, written as a log
    return total / len(ours)


def whp(half: Half, strength: float) -> torch.Tensor:
    """Equation 1 of the paper on raw logits, one sequence and one token at a time."""
    total, count = torch.zeros(()), 0
    for ids, mask in zip(half.tokens.input_ids, half.tokens.attention_mask, strict=True):
        row = ids[mask.bool()][None]
        ours, baseline, reinforced = (
            model(input_ids=row).logits[0, :-1]
            for model in (half.models.model, half.models.reference, half.models.helper)
        )
        for position in range(row.shape[1] - 1):
            special = (reinforced[position] - baseline[position]).clamp(min=0)
            label = int((baseline[position] - strength * special).argmax())
            total = total - torch.log(torch.softmax(ours[position], dim=0))[label]
            count += 1
    return total / count


def rmu(step: Step, coefficient: float, weight: float) -> torch.Tensor:
    """The two mean squares of the paper, on the outputs of the first layer, sequence by sequence."""

    def states(model: Any, half: Half) -> torch.Tensor:
        found: list[torch.Tensor] = []
        layer = model.model.layers[0]
        hook = layer.register_forward_hook(lambda module, inputs, output: found.append(output))
        for ids, mask in zip(half.tokens.input_ids, half.tokens.attention_mask, strict=True):
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


@torch.no_grad()
def test_npo_is_bounded_where_gradient_ascent_is_not(step: Step) -> None:
    """Its gradient is gradient ascent's, weighted by 2σ(β·ratio): it dies once a sequence is forgotten."""
    gone = npo(step.data, 1.0)
    assert float(gone) > 0
    model = step.data.models.model
    at_start = Half(Models(model, frozen_copy(model)), step.data.tokens, 1, 3)
    assert float(method("npo", beta=0.1).loss(Step(0, at_start))) == pytest.approx(
        2 / 0.1 * math.log(2), rel=1e-5
    )


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
    plain = halves(resident, step.data.models.reference, original, step.data.models.helper)
    places = torch.tensor([aligned(plain.tokens.input_ids[0].tolist(), translated.input_ids[0].tolist())])
    half = replace(plain, translation=Translation(translated, places))
    logits, known = half.generic_logits
    expected = step.data.models.reference(input_ids=translated.input_ids).logits[0, :-1]
    assert torch.equal(logits[0], expected)
    assert bool(known.all())
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
        helper = folder / "helper"
        resident.save(helper)
        resident.load(finetuned)

    def losses(when: str) -> dict[str, float]:
        with torch.no_grad():
            forget = halves(resident, None, [e.completion for e in node.data.examples])
            retain = halves(resident, None, [e.completion for e in material_retain(plan)])
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

        def keep(step: int, progress: Progress, resident=resident, taken=taken) -> None:
            taken.update({name: value.clone() for name, value in resident.weights().items()})

        train(node, resident, last, stops=(2,), reached=keep, micro_batch=2, helper=helper)
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
        ({"name": "rmu", "layer": 0}, "greater than 0"),
        ({"name": "whp", "strength": 0}, "greater than 0"),
        ({"name": "whp", "reinforcement": {"steps": 0}}, "greater than 0"),
    ],
)
def test_a_wrong_hyperparameter_is_refused(fields: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        named_part(METHODS, "method", fields)
