"""A driver that is killed at ten seeded requests pays for no job twice; the jobs are counted at the server."""

import json
import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import rows_of
from tests.serving.faulty_proxy import FaultyProxy
from tests.serving.servers import Server
from tests.serving.test_by_jobs import JOBS, by_jobs, said

MOMENTS = 10
FEWEST, MOST = 10, 25
"""Requests of a run before it is killed. Some are asked before any job; the whole study has about ten times as many."""


@pytest.mark.slow
def test_jobs_created_equal_trajectories(server: Server, attacked: Path, tmp_path: Path, relearn) -> None:
    def jobs() -> int:
        return len(list(server.client().fine_tuning.jobs.list(limit=100)))

    draw, before, seen, killed = random.Random(0), jobs(), [], 0
    with closing(FaultyProxy(server.url)) as proxy:
        fields = by_jobs(proxy.url, relearn={"provider": "killed"})  # no other test has these jobs
        (tmp_path / "space.json").write_text(json.dumps(fields))

        def begin():
            key = {"OPENAI_API_KEY": server.token}
            return relearn("run", "space.json", "--study", "s", environment=key, with_ray=False)

        for _ in range(MOMENTS):
            proxy.kill_after = draw.randint(FEWEST, MOST)
            process = (call := begin()).process
            proxy.kill = process.kill
            code, output = call.finish()
            killed += code != 0
            assert code in (0, -9), output
            seen.append(jobs() - before)
        proxy.kill_after = 0
        code, output = begin().finish()
    assert code == 0, output
    assert killed >= MOMENTS // 2 and len(set(seen)) > 2, f"jobs when it was killed: {seen}"
    assert jobs() == before + JOBS
    assert said(tmp_path / "s", "cells").equals(said(attacked, "cells"))
    assert len(rows_of(tmp_path / "s")["probes"])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(server.token.encode() in path.read_bytes() for path in files)
