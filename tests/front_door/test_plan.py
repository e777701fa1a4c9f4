"""The plan's numbers against counting by hand."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cluster.storage.local_store import LocalStore
from cluster.study_folder.axis_growth import axis_growth
from search_spaces.loading import load_space
from study.errors import SpecError
from study.models.memory import checkpoint_bytes
from study.performing.provenance import describe_node
from study.planning.cost import cost, train_steps_alone
from study.planning.makespan import makespan
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.shipped_times import MACHINE, MEASURED
from study.planning.stages import characters_of_a_step
from study.planning.step_times import StepTimes, step_times_of_records
from study.spec import AXES
from tests.commands import call
from tests.conftest import TINY
from tests.study.weights.test_memory import LLAMA_2_7B


def test_counts_by_hand(planned) -> None:
    plan = planned(depth=[2, 4], relearn_steps=[0, 3, 5], corpus=["prefix", "retain"], seed=[0, 1])
    found = cost(plan, [], StepTimes(), checkpoint_bytes, slots=2)
    # A seed: 2 reference cells, and 2 depths × 2 corpora × 3 step counts.
    assert found.cells == 2 * (2 + 12)
    assert found.stages == {"base": 2, "finetune": 2, "unlearn": 2, "relearn": 8}
    # A seed shared: base 2, finetune 3, unlearn 4, and four relearnings of 5.
    assert found.train_steps == 2 * (2 + 3 + 4 + 4 * 5)
    # Cell by cell: base alone 2; finetuned 2 + 3; the others 2 + 3 + depth + steps.
    grid = sum(2 + 3 + depth + steps for depth in (2, 4) for steps in (0, 3, 5) for _ in range(2))
    assert found.train_steps_alone == 2 * (2 + 5 + grid)
    # Base, finetuned, two depths, and two step counts of each relearning.
    assert found.evaluations == 2 * (2 + 2 + 4 * 2)
    assert found.kept_checkpoints == 2 * (1 + 1 + 2)
    assert found.seconds is None


def test_a_matched_control_is_unlearned_as_deep_and_shares_what_it_can(planned) -> None:
    start = ["unlearned", "never_learned"]
    plain = planned(depth=[2, 4], start=start)
    plan = planned(depth=[2, 4], start=start, control_depth=[0, 4])
    found, before = (
        cost(plan, [], StepTimes(), lambda source, lora: 0, slots=1),
        cost(plain, [], StepTimes(), checkpoint_bytes, slots=1),
    )
    matched = [cell for cell in plan.cells if cell.start == "never_learned" and cell.depth]
    assert {(cell.method, cell.depth) for cell in matched} == {("gradient_ascent", 4)}
    assert set(plain.stages) < set(plan.stages), "no key of the others changes"
    # One more unlearning of 4 steps, from the finetuning without D_u, and one more relearning of 2.
    assert found.train_steps == before.train_steps + 4 + 2
    assert found.stages == {"base": 1, "finetune": 2, "unlearn": 2, "relearn": 4}
    assert found.cells == before.cells + 2
    (never,) = {
        cell.checkpoint for cell in plain.cells if cell.start == "never_learned" and not cell.relearn_steps
    }
    (start_of_it,) = {cell.checkpoint for cell in matched if not cell.relearn_steps}
    assert start_of_it.of.parent == never


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"control_depth": [3], "start": ["unlearned", "never_learned"]}, "choose 0 or from `depth`: 2, 4"),
        ({"control_depth": [2]}, "put it into `start`"),
    ],
)
def test_a_control_that_matches_nothing_is_refused(planned, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        planned(depth=[2, 4], **changes)


def test_disk_is_what_the_checkpoints_take(planned, work_through, tmp_path: Path) -> None:
    plan = planned()
    store = LocalStore(tmp_path)
    promised = cost(plan, [], StepTimes(), lambda source, lora: 0, slots=1).disk_bytes
    work_through(plan, store)
    taken = sum(path.stat().st_size for path in tmp_path.rglob("weights.safetensors"))
    assert promised <= taken <= 1.1 * promised + 20_000
    after = cost(plan, store.addresses(), StepTimes(), checkpoint_bytes, slots=1)
    assert (after.disk_bytes, after.seconds) == (0, 0.0)
    assert after.artifacts_published == after.artifacts
    assert after.stages_published == len(plan.stages)


def test_time_is_known_once_measured(planned, work_through, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    work_through(planned(), store)
    step_times = step_times_of_records(store.record(address) for address in store.addresses())
    two = planned(seed=[0, 1])
    left = cost(two, store.addresses(), step_times, checkpoint_bytes, slots=1).seconds
    assert left is not None
    assert left > 0
    # What is missing is one chain, seed 1's: a second slot does not help it, and would help two.
    assert cost(two, store.addresses(), step_times, checkpoint_bytes, slots=2).seconds == left
    three = planned(seed=[0, 1, 2])
    assert cost(three, store.addresses(), step_times, checkpoint_bytes, slots=2).seconds == left
    assert cost(three, store.addresses(), step_times, checkpoint_bytes, slots=1).seconds == pytest.approx(
        2 * left
    )


def test_the_slots_are_played_through(planned) -> None:
    plan = planned(depth=[2, 4], relearn_steps=[0, 3], corpus=["prefix"])
    seconds = {
        key: {"base": 10.0, "finetune": 5.0, "unlearn": 2.0, "relearn": 4.0}[stage.kind]
        for key, stage in plan.stages.items()
    }
    assert makespan(plan, seconds, 1) == 10 + 5 + 2 + 4 + 4
    assert makespan(plan, seconds, 2) == 10 + 5 + 2 + 4
    relearnings = {key: taken for key, taken in seconds.items() if plan.stages[key].kind == "relearn"}
    assert makespan(plan, relearnings, 1) == 8
    assert makespan(plan, {}, 2) == 0


def test_step_times_by_group_and_by_length_of_the_text(planned) -> None:
    plan = planned(corpus=["prefix", "retain"], relearn_steps=[0, 3])
    nodes = {stage.kind: stage.node for stage in plan.stages.values() if stage.kind != "relearn"}
    short, long = sorted(
        (stage.node for stage in plan.stages.values() if stage.kind == "relearn"), key=characters_of_a_step
    )
    assert 1.5 * characters_of_a_step(short) < characters_of_a_step(long)

    def measured(node, fixed: float, each: float) -> None:
        step = fixed + each * characters_of_a_step(node)
        step_times.trained(node.key, describe_node(node), 2, 1.0)  # an earlier report of it counts no more
        step_times.trained(node.key, describe_node(node), 10, 10 * step)

    step_times = StepTimes()
    measured(nodes["finetune"], 0.01, 1e-4)
    measured(short, 0.01, 1e-4)
    # On the line that both lie on, and so is a corpus that nobody measured.
    assert step_times.step_seconds(long) == pytest.approx(0.01 + 1e-4 * characters_of_a_step(long))
    # A group that is dearer by a factor stays so.
    measured(nodes["unlearn"], 0.03, 3e-4)
    assert step_times.step_seconds(nodes["unlearn"]) == pytest.approx(
        0.03 + 3e-4 * characters_of_a_step(nodes["unlearn"])
    )
    evaluation = plan.cells[0].evaluation
    step_times.asked("relearn", 10, 2.0)
    assert step_times.evaluation_seconds("unlearn", evaluation) == 0.2 * len(evaluation.probes.probes)


def test_the_line_through_what_was_measured_is_numpys(planned) -> None:
    plan = planned(corpus=["prefix", "retain"], relearn_steps=[0, 3])
    node = next(stage.node for stage in plan.stages.values() if stage.kind == "relearn")
    description = describe_node(node)
    sizes, steps, seconds = [30.0, 300.0, 500.0], [4, 10, 7], [0.02, 0.05, 0.06]
    step_times = StepTimes()
    for size, count, each in zip(sizes, steps, seconds, strict=True):
        description["characters"] = size
        step_times.trained(f"{size}", description, count // 2, 100.0)  # counts no more after the next
        step_times.trained(f"{size}", description, count, count * each)
    slope, fixed = np.polyfit(sizes, seconds, 1, w=np.sqrt(steps))
    assert slope > 0
    assert fixed > 0
    assert step_times.step_seconds(node) == pytest.approx(fixed + slope * characters_of_a_step(node))


def test_what_was_trained_on_the_same_data_says_most(planned) -> None:
    """Gibberish takes more tokens for its characters than language does."""
    plan = planned(corpus=["prefix", "gibberish"], relearn_steps=[0, 3], depth=[2, 4])
    nodes = [stage.node for stage in plan.stages.values() if stage.kind == "relearn"]
    digests = sorted({node.data.digest for node in nodes})
    assert (len(nodes), len(digests)) == (4, 2)
    seconds = {digests[0]: 0.1, digests[1]: 5.0}
    measured = [next(node for node in nodes if node.data.digest == digest) for digest in digests]
    step_times = StepTimes()
    for node in measured:
        step_times.trained(node.key, describe_node(node), 3, 3 * seconds[node.data.digest])
    for node in nodes:
        assert step_times.step_seconds(node) == pytest.approx(seconds[node.data.digest])


def test_texts_of_one_length_give_no_line(planned) -> None:
    plan = planned(corpus=["prefix", "retain"], relearn_steps=[0, 3])
    node = next(stage.node for stage in plan.stages.values() if stage.kind == "relearn")
    step_times = StepTimes()
    for number, size in enumerate([100.1, 100.1, 100.1]):
        step_times.trained(f"{number}", {**describe_node(node), "characters": size}, 3, 3 * (0.1 + number))
    assert step_times.step_seconds(node) == pytest.approx(1.1)


def test_the_default_space_is_large_and_shared(tmp_path: Path) -> None:
    code, output = call("plan", "names", "--set", "seed=[0,1]", "--json", cwd=tmp_path)
    assert code == 0
    facts = json.loads(output)
    assert facts["steps_factor"] > 30
    assert facts["overrides"] == ["seed=[0,1]"]
    assert facts["spec"]["seed"] == [0, 1]
    assert list(tmp_path.iterdir()) == []
    code, output = call("plan", "names", cwd=tmp_path)
    assert "what was measured on two cores" in " ".join(output.split())
    assert "times fewer" in output


def test_a_key_is_set_in_a_part_that_the_space_leaves_out(tmp_path: Path) -> None:
    short = {name: value for name, value in TINY.items() if name not in ("embedded", "generation")}
    (tmp_path / "short.json").write_text(json.dumps(short))
    sets = ["--set", "execution.of_kind={relearn: {gpus: 0.5}}", "--set", "embedded.architecture.layers=2"]
    code, output = call("plan", "short.json", *sets, "--json", cwd=tmp_path)
    assert code == 0, output
    spec = json.loads(output)["spec"]
    assert spec["execution"]["of_kind"]["relearn"]["gpus"] == 0.5
    assert (spec["execution"]["cpus"], spec["embedded"]["architecture"]["layers"]) == (1, 2)
    code, output = call("plan", "short.json", "--set", "execution.of_kind={relaern: {gpus: 1}}", cwd=tmp_path)
    assert (code, "relaern" in output, "Traceback" in output) == (2, True, False)


PRETRAINED = {"model": ["original"], "finetune": None}
REINFORCED = {
    "name": "whp",
    "reinforcement": {"steps": 3, "optimiser": {"learning_rate": 1e-4, "batch_size": 2}},
}


@pytest.mark.parametrize(
    ("changes", "unlearned"),
    [
        # Two methods × two depths × two corpora × three step counts: 24 cells, each finetuned (2 + 3), unlearned by 2
        # or 4, relearned by 0, 3 or 5; the half of WHP is reinforced by 3 first.
        (
            {"method": ["gradient_ascent", REINFORCED], "start": ["unlearned", "original", "never_learned"]},
            24 * (2 + 3) + 12 * (2 + 4) + 8 * (0 + 3 + 5) + 12 * 3,
        ),
        ({**PRETRAINED, "checkpoints": {"at": {2: "two", 4: "four"}}}, 2 * 2 * (0 + 3 + 5)),
        (
            {**PRETRAINED, "start": ["unlearned", "original"]},
            6 * (2 + 4) + 4 * (0 + 3 + 5),
        ),
    ],
    ids=["with a helper", "given checkpoints", "nothing finetuned"],
)
def test_the_steps_alone_are_those_of_a_plan_of_each_cell(
    tiny, changes: dict[str, Any], unlearned: int
) -> None:
    """By brute force: every cell is planned as a study of its own, and the steps of all its stages are added up."""
    grid = {"depth": [2, 4], "relearn_steps": [0, 3, 5], "corpus": ["prefix", "retain"], **changes}
    plan = make_plan(read_materials(tiny(**grid)), str)
    brute = 0
    for cell in plan.cells:
        if cell.point is None:
            brute += {"base": 2, "original": 2 + 3}[cell.start] if plan.spec.finetune is not None else 0
            continue
        materials = read_materials(tiny(**{**grid, "relearn_steps": [cell.relearn_steps]}))
        alone = make_plan(materials, str, [cell.point])
        brute += sum(stage.last_step for stage in alone.stages.values())
    assert cost(plan, [], StepTimes(), lambda source, lora: 0, slots=1).train_steps_alone == brute
    assert unlearned == sum(
        train_steps_alone(cell.checkpoint) for cell in plan.cells if cell.start == "unlearned"
    )


def test_a_configuration_alone_tells_memory_and_disk(tmp_path: Path) -> None:
    """Of Llama-2-7b no weight is there: an adapter fits a card of 80 GB, and 75 of them take less disk than a model."""
    (tmp_path / "7b").mkdir()
    (tmp_path / "7b" / "config.json").write_text(
        json.dumps({**LLAMA_2_7B, "architectures": ["LlamaForCausalLM"]})
    )
    sets = [
        "model=7b",
        "precision=mixed",
        "execution.gpus=1",
        "depth=[2,4,8,12,16]",
        "seed=[0,1,2]",
        "repetitions=[1,2,3,4]",
        "start=[unlearned,original,never_learned]",
    ]
    sets += [f"{name}.lora={{rank: 16}}" for name in ("finetune.optimiser", "unlearn", "relearn")]
    words = [part for each in sets for part in ("--set", each)]
    code, output = call("plan", "tofu-mini", *words, cwd=tmp_path)
    assert code == 0, output
    assert "memory of a stage" in output
    code, output = call("plan", "tofu-mini", *words, "--json", cwd=tmp_path)
    found = json.loads(output)
    gibibytes = {each["kind"]: each["device"] / 2**30 for each in found["memory"]}
    assert 50 < gibibytes["relearn"] < 79
    # Each is 40.0 million weights in float32: of attention 8 × 4096, of the inner layers 3 × (4096 + 11008), rank 16.
    adapter = 4 * 32 * 16 * (8 * 4096 + 3 * (4096 + 11008))
    # The models that never learned are the same for every number of repetitions.
    unlearned, finetuned = 5 * 4 * 3, 4 * 3 + 3
    assert found["kept_checkpoints"] == unlearned + finetuned
    assert found["disk_bytes"] == (unlearned + finetuned) * adapter
    assert 11.9e9 < found["disk_bytes"] < 12.1e9
    # An unlearning reads its finetuning's adapter; a relearning reads two, or an original's one.
    relearnings = found["stages"]["relearn"]
    upon_one = relearnings // (5 * 4 + 4 + 1) * (4 + 1)
    assert found["read_bytes"] == (4 * 3 + 2 * relearnings - upon_one) * adapter
    code, output = call(
        "plan", "tofu-mini", *words, "--set", "finetune.optimiser.lora=null", "--json", cwd=tmp_path
    )
    mixed = json.loads(output)
    assert mixed["disk_bytes"] == unlearned * adapter + finetuned * 4 * 6_738_415_616
    code, output = call("run", "tofu-mini", *words, cwd=tmp_path)
    assert code == 3
    assert "has no weights" in output


def test_a_first_plan_says_how_to_measure_its_time(tmp_path: Path) -> None:
    """The command that it shows is a slice of the study, which then grows into the whole."""
    code, output = call("plan", "names", "--set", "seed=[3,4]", "--store", "kept here", cwd=tmp_path)
    assert code == 0, output
    shown = re.search(r"^  (relearn run .*--study studies/names --store 'kept here')$", output, re.MULTILINE)
    assert shown is not None, output
    words = shlex.split(shown[1])
    overrides = [value for flag, value in pairwise(words) if flag == "--set"]
    keys = [override.partition("=")[0] for override in overrides]
    assert len(keys) == len(set(keys)), "no key is set twice"
    small, whole = load_space(words[2], overrides), load_space("names", ["seed=[3,4]"])
    assert axis_growth(small.model_dump(mode="json"), whole.model_dump(mode="json"), AXES), (
        "the study may grow from it"
    )
    plan = make_plan(read_materials(small), lambda model: pytest.fail(model))
    assert len([cell for cell in plan.cells if cell.relearn_steps]) == 1


def test_a_first_plan_estimates_from_the_recorded_study_of_its_kind(tmp_path: Path) -> None:
    """The table is that of docs/names, which took 749 s; another model is not estimated from it."""
    rows = pd.read_parquet(Path(__file__).parents[2] / "docs" / "names" / "cells.parquet")
    relearned = rows[rows["relearn_steps"] > 0].groupby("stage")["train_seconds"].max()
    table = {each.kind: each for each in MEASURED}
    assert table["relearn"].train_seconds == pytest.approx(relearned.sum(), abs=0.1)
    code, output = call("plan", "names", "--json", cwd=tmp_path)
    found = json.loads(output)
    assert code == 0 and found["seconds_measured_on"] == MACHINE
    assert found["seconds"] == pytest.approx(749, rel=0.15)
    code, output = call("plan", "names", "--json", "--set", "embedded.architecture.layers=2", cwd=tmp_path)
    assert code == 0 and json.loads(output)["seconds"] is None


def test_a_plan_in_a_pipe_has_a_line_for_each_name(tmp_path: Path) -> None:
    """So that it can be searched: folded at the width of a terminal it would be cut anywhere."""
    code, output = call("plan", "names", "--set", f"question={'why ' * 40}", cwd=tmp_path)
    assert code == 0, output
    assert [line for line in output.splitlines() if line != line.rstrip()] == []
    (overrides,) = re.findall(r"^overrides +(.*)$", output, re.MULTILINE)
    assert overrides.count("why") == 40
