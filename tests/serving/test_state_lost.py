"""A service that has lost its jobs while a study has them written down: said, begun again, and counted by the caps."""

import json
import shutil
from pathlib import Path

import pytest

from tests.serving.servers import Server
from tests.serving.test_by_jobs import by_jobs, half, run, said

TRAJECTORIES = 3
"""Three starts, one corpus."""


@pytest.mark.further
def test_what_is_gone_is_begun_anew_and_paid_for_within_the_caps(
    attacked: Path, tmp_path: Path, without_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(attacked, tmp_path / "service")
    monkeypatch.setenv("OPENAI_API_KEY", server.token)

    def go(**limits: int) -> tuple[int, str]:
        code, output = run(
            tmp_path, "s", by_jobs(server.url, corpus=["prefix"], relearn={"provider": "forgetful"},
                                   execution={"service": limits}),
        )  # fmt: skip
        return code, " ".join(output.split())

    def jobs() -> int:
        return len(list((server.state / "jobs").glob("*.json")))

    try:
        code, output = go()
        assert code == 0 and jobs() == TRAJECTORIES, output
        rows = said(tmp_path / "s", "cells")
        for trajectory in (tmp_path / "s" / "store" / "artifacts").rglob("4"):
            shutil.rmtree(trajectory)  # its last answers are still to be asked
        server.kill()
        for name in ("jobs", "files", "weights"):
            shutil.rmtree(server.state / name)
        server.begin()
        for name, most in {"most_jobs": 2 * TRAJECTORIES - 1, "most_training_tokens": 1}.items():
            code, output = go(**{name: most})
            assert code == 3 and f"execution.service.{name}" in output and jobs() == 0, output
        assert f"{TRAJECTORIES} that failed or are gone" in go(most_jobs=2 * TRAJECTORIES - 1)[1]
        code, output = go(most_jobs=2 * TRAJECTORIES)
        assert code == 0 and jobs() == TRAJECTORIES, output
        assert f"{TRAJECTORIES} jobs begun again: the one before had failed or was gone" in output
        assert said(tmp_path / "s", "cells").equals(rows) and rows.equals(half(attacked, "cells"))
        log = "".join(path.read_text() for path in (tmp_path / "s" / "log").iterdir())
        events = [json.loads(line) for line in log.splitlines()]
        assert sum("another is begun" in event["event"] for event in events) == TRAJECTORIES
        code, output = go()
        assert code == 0 and jobs() == TRAJECTORIES, "what has ended is asked no more"
        assert f"3 (3 are begun), and {TRAJECTORIES} before them that failed or are gone" in output
    finally:
        server.kill()
