"""A study of the size that a user runs, by jobs: tofu-mini beside the weights, to the bit."""

from pathlib import Path

import pytest

from tests.commands import call
from tests.serving.servers import Server
from tests.serving.test_by_jobs import said

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
