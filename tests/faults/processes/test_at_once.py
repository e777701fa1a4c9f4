"""Commands at once on one study: as if one came after the other, or one is refused; study.json, rows, status agree."""

import itertools
import json
import random
import shutil
from pathlib import Path

import pytest

from cluster.driver import launch
from cluster.driver.preflight.checks import check_plan
from cluster.study_folder.lease import hold
from study.planning.plan import Plan
from study.results.files import read_dataset
from study.results.schema import COORDINATES
from tests.commands import call
from tests.faults.at_once import Ended, at_once
from tests.faults.checker import Fault

VERBS: dict[str, tuple[str, ...]] = {
    "run, to grow": ("run", "space.json", "--study", "s", "--set", "seed=[0,1]"),
    "resume": ("resume", "s"),
    "score": ("score", "s", "--metric", "rouge_l"),
    "verify": ("verify", "s"),
    "verify --repair": ("verify", "s", "--repair"),
    "checkpoints": ("checkpoints", "s"),
    "report": ("report", "s"),
    "export": ("export", "s", "--format", "parquet"),
    "status": ("status", "s", "--json"),
    "logs": ("logs", "s"),
    "plan": ("plan", "space.json", "--study", "s"),
}
HELD = ("run, to grow", "resume", "score", "verify --repair")
"""Those that are refused while another process holds the study."""
PAIRS = list(itertools.combinations_with_replacement(VERBS, 2))
QUICK = [
    ("run, to grow", "resume"),
    ("verify --repair", "report"),
]


def agrees(study: Path) -> None:
    """Everything that a study's folder says of itself."""
    rows = read_dataset(study, "probes", [*COORDINATES, "split", "probe"]).to_pylist()
    assert len({tuple(row.values()) for row in rows}) == len(rows), "rows stand twice"
    spec = json.loads((study / "study.json").read_text())["spec"]
    for axis in ("depth", "seed"):
        assert {row[axis] for row in rows} - {0} <= set(spec[axis])
    code, output = call("verify", study.name, cwd=study.parent)
    assert (code, "0 problems" in output) == (0, True), output
    code, output = call("status", study.name, "--json", cwd=study.parent)
    status = json.loads(output)
    assert (status["cells"], status["holder"]) == (status["cells_recorded"], None), output


def refused(ended: Ended) -> bool:
    return ended.code == 4 and ("is being run by process" in ended.output or "taken over" in ended.output)


@pytest.mark.further
@pytest.mark.repeats
@pytest.mark.fault("drivers with different specs, started at once in one new folder")
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_drivers_with_different_specs_at_once(space, fault: Fault, tmp_path: Path, times: int) -> None:
    path = space()
    draw = random.Random(28)
    for turn in range(times):
        depths = [1, 2, 3]
        commands = [("run", path, "--study", f"s{turn}", "--set", f"depth=[{depth}]") for depth in depths]
        ended = at_once(commands, tmp_path, [draw.uniform(0, 1.5 if turn else 0) for _ in depths])
        fault.inject()
        (won,) = [depth for depth, each in zip(depths, ended, strict=True) if each.code == 0]
        for each in ended:
            later = each.code == 2 and "belongs to another spec" in each.output
            assert each.code == 0 or refused(each) or later, each
        recorded = json.loads((tmp_path / f"s{turn}" / "study.json").read_text())
        assert recorded["spec"]["depth"] == recorded["axes"]["depth"] == [won]
        assert f"depth=[{won}]" in recorded["provenance"]["command"]
        agrees(tmp_path / f"s{turn}")


@pytest.mark.further
def test_a_running_study_does_not_grow(finished, space, tmp_path: Path) -> None:
    """Who is refused has changed nothing: not the spec, not the command, not the plan."""
    study = finished()
    space()
    with hold(study):
        before = {
            path: path.read_bytes()
            for path in study.rglob("*")
            if path.is_file() and ".driver" not in str(path)
        }
        for name in HELD:
            code, output = call(*VERBS[name], cwd=tmp_path)
            assert (code, "is being run by process" in output) == (4, True), (name, output)
        for path, content in before.items():
            assert path.read_bytes() == content, path
    after = {path for path in study.rglob("*") if path.is_file() and ".driver" not in str(path)}
    assert after == set(before)


def test_what_is_refused_leaves_a_folder_as_it_was(space, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    for verb in (
        ["run", space(), "--study", "mine"],
        ["resume", "mine"],
        ["score", "mine", "--metric", "exact"],
    ):
        code, output = call(*verb, cwd=tmp_path)
        assert code == 2, output
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_a_study_that_grows_while_it_is_resumed(
    finished, space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_ray: None
) -> None:
    """Between its question read and its lease held: as if the resumption had come after the run."""
    study = finished()
    space()
    checked = check_plan

    def grown_meanwhile(plan: Plan, *, local: bool) -> object:
        monkeypatch.setattr(launch, "check_plan", checked)
        code, output = call(*VERBS["run, to grow"], cwd=tmp_path)
        assert code == 0, output
        return checked(plan, local=local)

    monkeypatch.setattr(launch, "check_plan", grown_meanwhile)
    code, output = call("resume", "s", cwd=tmp_path)
    assert code == 0, output
    agrees(study)


@pytest.mark.further
@pytest.mark.repeats
@pytest.mark.timeout(900)
@pytest.mark.fault("two verbs at once on one study, every pair")
@pytest.mark.parametrize(
    ("pairs", "seed"),
    [
        pytest.param(QUICK, 0, id="some"),
        *(pytest.param(PAIRS, seed, id=f"every-{seed}", marks=pytest.mark.slow) for seed in range(1, 21)),
    ],
)
def test_two_verbs_at_once(
    finished, space, fault: Fault, tmp_path: Path, pairs: list[tuple[str, str]], seed: int
) -> None:
    """Either of the two comes up to half a second after the other."""
    finished().rename(tmp_path / "original")
    space()
    draw = random.Random(seed)
    for pair in pairs:
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        shutil.copytree(tmp_path / "original", tmp_path / "s")
        delays = [0.0, draw.uniform(0, 0.5)]
        draw.shuffle(delays)
        ended = at_once([VERBS[name] for name in pair], tmp_path, delays)
        fault.inject()
        for name, each in zip(pair, ended, strict=True):
            assert each.code == 0 or (name in HELD and refused(each)), (pair, ended)
        agrees(tmp_path / "s")
