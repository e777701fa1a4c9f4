"""A study's folder moved, the clock set back, Ray's own files torn, a finished study run again."""

import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import call, published, started, wait_for
from tests.faults.checker import Fault
from tests.faults.conftest import GRID, LONG, ONE_OF_EACH

HARMS = {
    "torn": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.slow
@pytest.mark.fault("study folder moved between two runs")
def test_a_moved_study_goes_on(
    relearn, resume, on_ray: bool, space, undisturbed, fault: Fault, tmp_path: Path
) -> None:
    run = relearn("run", space(**ONE_OF_EACH), "--study", "s", with_ray=on_ray)
    wait_for(lambda: len(published(tmp_path / "s")) >= 5)
    run.process.send_signal(signal.SIGTERM)
    assert run.finish(60)[0] == 130
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "s", tmp_path / "elsewhere" / "t")
    fault.inject()
    code, output = resume("elsewhere/t")
    assert code == 0, output
    fault.check(tmp_path / "elsewhere" / "t", undisturbed(**ONE_OF_EACH), code=code, repeated=2)
    # A finished study: no work, no Ray.
    before = published(tmp_path / "elsewhere" / "t")
    code, output = call("resume", "elsewhere/t", cwd=tmp_path)
    assert (code, published(tmp_path / "elsewhere" / "t")) == (0, before), output
    assert "0 stages run now" in output


@pytest.mark.slow
@pytest.mark.fault("clock set back an hour between two runs")
def test_the_clock_goes_back(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import time\nreal = time.time\ntime.time = lambda: real() - 3600\n"
    )
    call = relearn("run", space(**LONG), "--study", "s")
    wait_for(lambda: len(published(tmp_path / "s")) >= 3)
    fault.before(tmp_path / "s", call)
    call.process.send_signal(signal.SIGKILL)
    call.finish()
    fault.inject()
    code, output = relearn("resume", "s", environment={"PYTHONPATH": str(site)}).finish()
    assert code == 0, output
    fault.check(tmp_path / "s", undisturbed(**LONG), code=code, repeated=2)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "harm", [pytest.param(harm, marks=pytest.mark.fault(f"Ray's own state files {harm}")) for harm in HARMS]
)
def test_files_of_ray_tune_are_of_no_account(
    relearn, space, undisturbed, fault: Fault, tmp_path: Path, harm: str
) -> None:
    """While a run is on, and after its driver was killed."""
    study = tmp_path / "s"

    def spoil() -> int:
        found = [path for path in (study / ".tune").glob("*/run/**/*") if path.is_file()]
        for path in found:
            if path.exists():
                HARMS[harm](path)
        return len(found)

    call = relearn("run", space(**LONG), "--study", "s")
    wait_for(lambda: len(published(study)) >= 3)
    wait_for(lambda: spoil() > 0)
    fault.inject()
    wait_for(lambda: len(published(study)) >= 12)
    fault.before(study, call)
    call.process.send_signal(signal.SIGKILL)
    call.finish()
    spoil()
    fault.inject()
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    fault.check(study, undisturbed(**LONG), code=code, repeated=2)


@pytest.mark.slow
@pytest.mark.repeats
@pytest.mark.fault("a reader in pandas while a study runs")
def test_a_reader_at_any_moment(relearn, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    """Never a partial row, never one twice, never one that goes away."""
    study = tmp_path / "s"
    call = relearn("run", space(**GRID), "--study", "s")
    wait_for(lambda: started(study))
    seen: set[tuple] = set()
    while call.process.poll() is None:
        if not any((study / "results" / "cells").glob("[!.]*.parquet")):
            continue
        cells = pd.read_parquet(study / "results" / "cells")
        names = ["start", "repetitions", "depth", "corpus", "relearn_steps", "seed", "split", "metric"]
        assert not cells.duplicated(names).any()
        now = {tuple(row) for row in cells[[*names, "value"]].itertuples(index=False)}
        assert seen <= now
        fault.inject(len(now) > len(seen))
        seen = now
    code, output = call.finish()
    assert code == 0, output
    fault.check(study, undisturbed(**GRID), code=code)
