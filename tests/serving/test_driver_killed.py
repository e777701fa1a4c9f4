"""A driver that is killed at ten seeded moments pays for no job twice; the jobs are counted at the server."""

import json
import random
import time
from pathlib import Path

import pytest

from tests.commands import Call, rows_of
from tests.serving.servers import Server
from tests.serving.test_by_jobs import JOBS, by_jobs, said

MOMENTS = 10


@pytest.mark.slow
def test_jobs_created_equal_trajectories(server: Server, attacked: Path, tmp_path: Path) -> None:
    draw, before = random.Random(0), len(list(server.client().fine_tuning.jobs.list(limit=100)))
    (tmp_path / "space.json").write_text(json.dumps(by_jobs(server.url)))
    key = {"OPENAI_API_KEY": server.token}

    def begin() -> Call:
        return Call("run", "space.json", "--study", "s", cwd=tmp_path, environment=key, with_ray=False)

    whole = time.monotonic()
    killed = 0
    for _ in range(MOMENTS):
        call = begin()
        log = tmp_path / "s" / "log"
        while call.process.poll() is None and not log.exists():
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 2.5))
        killed += call.process.poll() is None
        call.process.kill()
        call.process.wait()
    assert killed >= MOMENTS // 2, (
        f"the study was over too soon to be killed ({time.monotonic() - whole:.0f} s)"
    )
    code, output = begin().finish()
    assert code == 0, output
    assert len(list(server.client().fine_tuning.jobs.list(limit=100))) == before + JOBS
    assert said(tmp_path / "s", "cells").equals(said(attacked, "cells"))
    assert len(rows_of(tmp_path / "s")["probes"])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(server.token.encode() in path.read_bytes() for path in files)
