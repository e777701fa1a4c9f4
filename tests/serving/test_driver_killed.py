"""A driver that is killed at ten seeded requests, or two at once, pay for no job twice; counted at the server."""

import json
import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from study.performing.service.client import ServiceClient
from tests.commands import rows_of
from tests.serving.faulty_proxy import FaultyProxy
from tests.serving.servers import Server
from tests.serving.test_by_jobs import JOBS, by_jobs, plan_of, said, stage_of_a_job
from tests.serving.test_serve import job_of

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


@pytest.mark.parametrize("ended", [False, True])
def test_of_two_drivers_that_begin_the_same_job_the_second_gives_way(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", server.token)
    plan = plan_of(
        server.url, tmp_path, relearn={"provider": f"two-{ended}"}, start=["original"], corpus=["prefix"]
    )
    job, client = stage_of_a_job(plan).node, server.client()
    busy = job_of(server, hyperparameters={"n_epochs": 1000})
    with closing(ServiceClient(server.url, "openai", "text")) as ours:
        create, begun, noted = ours._calls.create, [], []

        def after_theirs(*asked: Any) -> Any:
            with closing(ServiceClient(server.url, "openai", "text")) as theirs:
                begun.append(theirs.start(job, lambda what, known: None))
            made = create(*asked)
            if ended:  # what has ended cannot be cancelled
                client.fine_tuning.jobs.cancel(made["id"])
            return made

        monkeypatch.setattr(ours._calls, "create", after_theirs)
        assert [ours.start(job, lambda *told: noted.append(told))] == begun
        assert [known for what, known in noted if what == "job"] == begun
        found = {each["id"]: each["status"] for each in ours._of(job.key)}
    assert found.pop(begun[0]) == "queued" and set(found.values()) == {"cancelled"}
    client.fine_tuning.jobs.cancel(busy)
    client.close()
