"""A search: killed and resumed it ends as if nothing had been; what is published is not asked."""

import json
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cluster.driver.rounds import Rounds
from cluster.rows.recorder import Recorder
from cluster.storage.local_store import LocalStore
from cluster.study_folder.lease import hold
from cluster.study_folder.search_record import read_rounds
from cluster.study_folder.study_plan import planning_of
from search_spaces.search.proposers import proposer_of
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.proposer import History
from study.scenarios.names import Names
from study.spec import StudySpec
from study.text.examples import Material
from tests.commands import call, published, rows_of, started, wait_until_gone, wait_until_published

SPACE: dict[str, Any] = {
    "repetitions": [7, 3, 1],
    "depth": [1, 2, 3],
    "corpus": ["prefix", "retain"],
    "relearn_steps": [0, 2],
    "search": {"question": "frontier", "round": 3, "level": 0.05, "budget": {"trajectories": 9}},
}


def in_this_process(spec: StudySpec, folder: Path, work_through: Any) -> int:
    """The same search without Ray and without a fault; returns the number of its rounds."""
    store = LocalStore(folder / "store")
    store.prepare()
    materials = read_materials(spec)
    _, plan_of = planning_of(materials, folder)
    rounds = Rounds(folder, spec, proposer_of(materials), plan_of, store)
    with hold(folder) as lease:
        for plan in rounds.plans(lease):
            work_through(plan, store)
            recorder = Recorder(lease, plan, store)
            for key in plan.stages:
                recorder.record(key)
    recorded = read_rounds(folder)
    assert recorded is not None
    return len(recorded.rounds)


def answer_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "search" / "answer.json").read_text())


@pytest.mark.further
@pytest.mark.parametrize(
    ("kills", "with_ray"),
    [(1, False), pytest.param(3, True, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])],
)
def test_killed_it_ends_as_if_nothing_had_been(
    relearn, resume, space, tiny, work_through, tmp_path: Path, kills: int, with_ray: bool
) -> None:
    path, study = space(**SPACE), tmp_path / "s"
    assert in_this_process(tiny(**SPACE), tmp_path / "undisturbed", work_through) == 3
    store = LocalStore(tmp_path / "undisturbed" / "store")
    whole = sum(1 for address in store.addresses() if address.what != "state")
    draw = random.Random(20261125)
    for moment in sorted(draw.sample(range(1, whole - 2), kills)):
        killed = relearn("run", path, "--study", "s", with_ray=with_ray)
        wait_until_published(study, moment, 300)
        left_behind = killed.descendants()
        killed.process.send_signal(signal.SIGKILL)
        assert killed.finish()[0] == -signal.SIGKILL
        wait_until_gone(left_behind, 120)
    code, output = resume("s")
    assert code == 0, output
    assert read_rounds(study) == read_rounds(tmp_path / "undisturbed")
    assert answer_of(study) == answer_of(tmp_path / "undisturbed")
    assert all(sentence in output for sentence in answer_of(study)["sentences"])
    for dataset, rows in rows_of(study).items():
        assert rows.equals(rows_of(tmp_path / "undisturbed")[dataset])
    assert max(Counter(published(study)).values()) == 1, "an artifact was accepted twice"
    assert len(published(study)) == whole
    begun = Counter(str(event["stage"]) for event in started(study) if event["kind"] == "relearn")
    assert sum(begun.values()) - len(begun) <= 2 * kills, "more was begun again than ran at the kills"

    before = len(started(study))
    for verb in (["run", path, "--study", "s"], ["verify", "s"], ["status", "s"], ["report", "s"]):
        code, output = call(*verb, cwd=tmp_path)
        assert code == 0, output
    assert len(started(study)) == before, "a finished search began something"
    page = (study / "report" / "index.html").read_text()
    assert ">The search</a></h3>" in page
    assert answer_of(study)["sentences"][-1].split(";")[0] in page


@pytest.mark.parametrize("question", ["frontier", "cheapest"])
def test_the_data_of_a_search_is_read_once(
    tiny, work_through, tmp_path: Path, monkeypatch, question: str
) -> None:
    read: list[int] = []
    material = Names.material

    def counted(scenario: Names, repetitions: int) -> Material:
        read.append(repetitions)
        return material(scenario, repetitions)

    monkeypatch.setattr(Names, "material", counted)
    spec = tiny(**{**SPACE, "search": {**SPACE["search"], "question": question}})
    assert in_this_process(spec, tmp_path, work_through) > 1
    assert sorted(read) == sorted(SPACE["repetitions"])


def test_what_is_published_is_found_and_not_asked(tiny, work_through, tmp_path: Path) -> None:
    """Another study over the same store had computed a part of the grid."""
    spec = tiny(**SPACE)
    part = tiny(**{**SPACE, "search": None, "repetitions": [7], "corpus": ["prefix"]})
    store = LocalStore(tmp_path / "store")
    store.prepare()
    work_through(make_plan(read_materials(part), str), store)
    materials = read_materials(spec)
    proposer = proposer_of(materials)
    _, plan_of = planning_of(materials, tmp_path / "s")
    rounds = Rounds(tmp_path / "s", spec, proposer, plan_of, store)
    there = set(store.addresses())
    with hold(tmp_path / "s") as lease:
        next(rounds.plans(lease))
    history = read_rounds(tmp_path / "s")
    assert history is not None
    found, asked = history.found, history.rounds
    assert {(point.depth, point.attack.label, point.repetitions) for point in found} == {
        (depth, "prefix", 7) for depth in SPACE["depth"]
    }
    assert not set(found) & set(asked[0])
    fresh = make_plan(read_materials(spec), str, asked[0])
    relearned = [key for key, stage in fresh.stages.items() if stage.kind == "relearn"]
    assert relearned
    assert not {address.key for address in there} & set(relearned)
    assert asked[0] == proposer.propose(History(found=found, begun=history.begun))
    assert {(point.depth, point.repetitions) for point in history.begun} == {(d, 7) for d in SPACE["depth"]}
    assert {point.attack.label for point in history.begun} == {"prefix", "retain"}, (
        "relearned from the same models"
    )


def test_a_search_that_lost_what_it_asked_finds_all_of_it(tiny, work_through, tmp_path: Path) -> None:
    """Also where a stage was computed as far as was asked, and no further."""
    spec = tiny(**SPACE)
    assert in_this_process(spec, tmp_path / "s", work_through) == 3
    before = read_rounds(tmp_path / "s")
    assert before is not None
    (tmp_path / "s" / "search" / "asked.json").unlink()
    in_this_process(spec, tmp_path / "s", work_through)
    again = read_rounds(tmp_path / "s")
    assert again is not None
    assert set(again.found) == set(before.asked)
    assert not set(again.asked) & set(again.found)


@pytest.mark.further
def test_a_torn_record_of_what_was_asked_is_said_and_mended(without_ray, space, tmp_path: Path) -> None:
    path, study = space(**SPACE), tmp_path / "s"
    assert call("run", path, "--study", "s", cwd=tmp_path)[0] == 0
    computed = set(published(study))
    asked = study / "search" / "asked.json"
    asked.write_text(asked.read_text()[:-40])
    code, output = call("status", "s", cwd=tmp_path)
    assert (code, "not what was written" in output) == (5, True), output
    code, output = call("verify", "s", "--repair", cwd=tmp_path)
    assert (code, "could not be read" in output) == (0, True), output
    code, output = call("resume", "s", cwd=tmp_path)
    assert code == 0, output
    assert "that were published" in output
    assert Counter(published(study)).most_common(1)[0][1] == 1, "something published was computed again"
    assert computed <= set(published(study))
    code, output = call("verify", "s", cwd=tmp_path)
    assert code == 0, output
