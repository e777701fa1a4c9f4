"""Studies of the size that a user runs, by jobs: on a real Ray, and tofu-mini beside the weights, to the bit."""

import json
from pathlib import Path

import pytest

from cluster.study_folder.event_log import read_events
from tests.commands import call
from tests.serving.servers import Server
from tests.serving.test_by_jobs import JOBS, by_jobs, said

TOFU = [
    *("run", "tofu-mini", "--set", "depth=[8]", "--set", "corpus=[same_author,gibberish]"),
    *("--set", "relearn_steps=[0,6,12]"),
]
"""42 texts a corpus and batches of 8: an epoch has 6 steps. Without an adapter, all weights are trained."""


@pytest.mark.slow
def test_cells_of_tofu_mini_through_the_api_equal_those_with_the_weights_to_the_bit(
    tmp_path: Path, without_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = call(*TOFU, "--study", "weights", cwd=tmp_path)
    assert code == 0, output
    server = Server(tmp_path / "weights", tmp_path / "service")
    try:
        monkeypatch.setenv("OPENAI_API_KEY", server.token)
        way = ["--set", "relearn.by=jobs", "--set", f"relearn.base_url={server.url}"]
        code, output = call(*TOFU, *way, "--study", "api", cwd=tmp_path)
        assert code == 0, output
        jobs = list(server.client().fine_tuning.jobs.list())
    finally:
        server.kill()
    assert len(jobs) == 4  # two starts, two corpora
    for dataset in ("cells", "probes"):
        found = said(tmp_path / "api", dataset)
        assert len(found) > 0 and found.equals(said(tmp_path / "weights", dataset)), dataset


@pytest.mark.slow
def test_a_study_by_jobs_on_a_real_ray(server: Server, attacked: Path, tmp_path: Path, relearn) -> None:
    before = {job.id for job in server.client().fine_tuning.jobs.list(limit=100)}
    fields = by_jobs(server.url, relearn={"provider": "on-ray"}, execution={"service": {"at_once": 2}})
    (tmp_path / "space.json").write_text(json.dumps(fields))
    code, output = relearn(
        "run", "space.json", "--study", "s", environment={"OPENAI_API_KEY": server.token}
    ).finish()
    assert code == 0, output
    for dataset in ("cells", "probes"):
        found = said(tmp_path / "s", dataset)
        assert len(found) > 0 and found.equals(said(attacked, dataset)), dataset
    made = {job.id for job in server.client().fine_tuning.jobs.list(limit=100)} - before
    assert len(made) == JOBS
    running = most = 0
    for event in read_events(tmp_path / "s" / "log"):
        running += {"stage started": 1, "stage finished": -1}.get(event["event"], 0)
        most = max(most, running)
    assert running == 0 and 0 < most <= 2, "at most two stages ask the service at a time"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(server.token.encode() in path.read_bytes() for path in files)
    assert server.token not in output
