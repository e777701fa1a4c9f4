"""What each verb imports: the front door counts modules, not seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search_spaces.presets import PRESETS
from tests.commands import ROOT, call
from tests.conftest import TINY
from tests.study.test_pretrained import make_folder

HEAVY = {"torch", "transformers", "ray", "pandas", "matplotlib", "pyarrow", "scipy", "numpy", "pydantic"}
COUNT = """
import json, sys
sys.argv = ["relearn", *{arguments!r}]
import relearn
try:
    relearn.app()
except SystemExit:
    pass
finally:
    print("MODULES", json.dumps(sorted({heavy!r} & set(sys.modules))))
"""


def imported(*arguments: str, cwd: Path) -> set[str]:
    code = COUNT.format(arguments=list(arguments), heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("MODULES")]
    return set(json.loads(line.removeprefix("MODULES")))


def printed(code: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported("--help", cwd=tmp_path) == set()


@pytest.mark.further
@pytest.mark.parametrize("arguments", [("plan", "names"), ("plan", "names", "--json")])
def test_a_plan_needs_neither_torch_nor_ray(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert not imported(*arguments, cwd=tmp_path) & {"torch", "ray", "matplotlib"}


def test_status_needs_neither_torch_nor_ray(tmp_path: Path, planned) -> None:
    from cluster.study_folder.lease import hold
    from cluster.study_folder.study_folder import StudyFolder

    plan = planned()
    facts: dict[str, Any] = {"models": {}, "inputs": {}, "store": "store", "space": "x"}
    with hold(tmp_path / "s") as lease:
        StudyFolder(tmp_path / "s").claim(lease, plan.spec, plan, **facts, overrides=[], command=["relearn"])
    # pyarrow looks for pandas by itself when it turns rows into Python objects.
    assert not imported("status", "s", cwd=tmp_path) & {"torch", "transformers", "ray", "matplotlib"}


def test_analysis_loads_without_torch_and_ray(tmp_path: Path) -> None:
    code = "import sys, analysis; print(sorted({'torch', 'ray', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.further
def test_a_check_of_texts_needs_no_torch_and_a_worker_on_all_weights_no_peft(tmp_path: Path) -> None:
    (tmp_path / "space.json").write_text(json.dumps(TINY))
    driver = """
import sys
from search_spaces.loading import load_space
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from cluster.driver.preflight.checks import check_plan
check_plan(make_plan(read_materials(load_space("space.json", [])), str), local=True)
print(sorted({"torch", "peft"} & set(sys.modules)))
"""
    worker = """
import sys
from pathlib import Path
from cluster.storage.local_store import LocalStore
from search_spaces.loading import load_space
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.materials import read_materials
from study.planning.planner import make_plan
plan, residents = make_plan(read_materials(load_space("space.json", [])), str), Residents()
for stage in plan.stages.values():
    perform(stage, LocalStore(Path("store")), residents, plan.spec.execution)
print(sorted({"torch", "peft"} & set(sys.modules)))
"""
    for code, expected in ((driver, "[]"), (worker, "['torch']")):
        assert printed(code, tmp_path) == expected


def test_a_check_of_a_models_folder_needs_no_torch(tmp_path: Path) -> None:
    """Type, identity, texts and memory, of a folder as transformers 5 saves it."""
    (tmp_path / "space.json").write_text(
        json.dumps({**TINY, "model": [str(make_folder(tmp_path / "model"))]})
    )
    driver = """
import sys
from search_spaces.loading import load_space
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.models.pretrained import fingerprint
from cluster.driver.preflight.checks import check_plan
check_plan(make_plan(read_materials(load_space("space.json", [])), fingerprint), local=True)
print(sorted({"torch", "peft"} & set(sys.modules)))
"""
    assert printed(driver, tmp_path) == "[]"


def test_no_line_of_the_help_is_cut(tmp_path: Path) -> None:
    """Of a verb's help the list shows one sentence, and ends it with dots where it is too long."""
    code, output = call("--help", cwd=tmp_path)
    assert code == 0 and "relearn plan names" in output
    assert not [line for line in output.splitlines()[1:] if line.endswith("...")]  # the first is the usage


TABS = """
eval "$(_RELEARN_COMPLETE=source_bash relearn)"
tab() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _relearn_completion relearn; echo "${COMPREPLY[*]}"; }
tab relearn run ""
tab relearn plan tofu
tab relearn status ""
tab relearn compare first at
tab relearn export ./stu
tab relearn export first --format ""
tab relearn cluster s
tab relearn run names --search c
tab relearn run names --set relearn
"""


def test_the_shell_completes_presets_and_studies(tmp_path: Path) -> None:
    """In a real bash; where nothing is offered, it completes paths itself."""
    for name in ("first", "attack"):
        (tmp_path / "studies" / name).mkdir(parents=True)
        (tmp_path / "studies" / name / "study.json").write_text("{}")
    (tmp_path / "mine.yaml").write_text("")
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", TABS],
        cwd=tmp_path,
        env={**os.environ, "PATH": search, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    spaces, tofu, studies, second, path, *words = done.stdout.splitlines()
    assert spaces.split() == [*PRESETS, "mine.yaml"], done.stderr
    assert tofu.split() == ["tofu", "tofu-mini"]
    assert studies.split() == ["attack", "first"]
    assert second.split() == ["attack"]
    assert path == ""
    assert words == ["csv parquet netcdf", "slurm sky", "cheapest", "relearn_steps= relearn="]
