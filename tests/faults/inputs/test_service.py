"""Relearning by jobs of a service that fails: no job is created twice, and the cells are those of an undisturbed study.

A proxy before `relearn serve` spoils some answers. What the service refuses for good is a failure of that stage, with
its cause, and is gone on with by the next run.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from study.performing.service import client as service_client
from tests.commands import call
from tests.faults.checker import Fault
from tests.serving.conftest import attacked, server
from tests.serving.faulty_proxy import FaultyProxy
from tests.serving.servers import Server
from tests.serving.test_by_jobs import by_jobs, run, said

__all__ = ["attacked", "server"]  # fixtures
JOBS = 2
"""One start, two corpora."""
STARTS = ("base", "original")
ROUTES = ("/fine_tuning/jobs", "/files", "/completions", "/models")
PASSING = {
    "429 on every route": {route: ["429", "429"] for route in ROUTES},
    "500 on every route": {route: ["500", "500"] for route in ROUTES},
    "answers of creation are lost": {"/fine_tuning/jobs": ["lost", "lost"]},
    "answers of questions are lost": {"/completions": ["lost", "lost", "lost"]},
}
LASTING = {
    "a job's content is refused": {"/fine_tuning/jobs": ["refused"]},
    "a model is gone when it is asked": {"/completions": ["gone"]},
}
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("without_ray"),
]


@pytest.fixture
def proxy(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    monkeypatch.setenv("OPENAI_API_KEY", server.token)
    monkeypatch.setattr(service_client, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr("study.performing.service.calls.time.sleep", lambda seconds: None)
    made = FaultyProxy(server.url)
    yield made
    made.close()


def jobs_of(server: Server) -> int:
    return len(list(server.client().fine_tuning.jobs.list()))


def check(fault: Fault, study: Path, attacked: Path, created: int) -> None:
    """All cells, each once, those of a study with the weights; and each job was created once."""
    for dataset in ("cells", "probes"):
        found = said(study, dataset).to_pylist()
        wanted = [row for row in said(attacked, dataset).to_pylist() if row["start"] in STARTS]
        fault.lost += max(0, len(wanted) - len(found))
        assert found == wanted, dataset
    fault.duplicated += created - JOBS
    assert created == JOBS
    code, output = call("verify", study.name, cwd=study.parent)
    assert (code, "0 problems" in output) == (0, True), output


@pytest.mark.slow  # `make test` has answers that are lost, in tests/serving
@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(
            rules,
            id=name,
            marks=pytest.mark.fault(f"a service: {name}"),
        )
        for name, rules in PASSING.items()
    ],
)
def test_what_passes(
    server: Server,
    proxy: FaultyProxy,
    attacked: Path,
    fault: Fault,
    tmp_path: Path,
    rules: dict[str, list[str]],
) -> None:
    proxy.rules = {route: list(faults) for route, faults in rules.items()}
    before, asked = jobs_of(server), sum(map(len, rules.values()))
    code, output = run(tmp_path, "s", by_jobs(proxy.url, relearn=of_its_own(tmp_path), start=["original"]))
    assert code == 0, output
    fault.inject(asked - sum(map(len, proxy.rules.values())))
    assert not any(proxy.rules.values()), "every fault was met"
    check(fault, tmp_path / "s", attacked, jobs_of(server) - before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rules", "words"),
    [
        pytest.param(rules, words, id=name, marks=pytest.mark.fault(f"a service: {name}"))
        for (name, rules), words in zip(LASTING.items(), ("against our policy", "no such model"), strict=True)
    ],
)
def test_what_lasts(
    server: Server,
    proxy: FaultyProxy,
    attacked: Path,
    fault: Fault,
    tmp_path: Path,
    rules: dict[str, list[str]],
    words: str,
) -> None:
    before = jobs_of(server)
    fields = by_jobs(proxy.url, relearn=of_its_own(tmp_path), start=["original"])
    proxy.rules = {route: list(faults) for route, faults in rules.items()}
    code, output = run(tmp_path, "s", fields)
    fault.inject()
    assert "Traceback" not in output
    assert code != 0 and words in output, output
    proxy.rules = {}
    code, output = call("resume", "s", cwd=tmp_path)
    assert code == 0, output
    check(fault, tmp_path / "s", attacked, jobs_of(server) - before)


def of_its_own(folder: Path) -> dict[str, str]:
    """Jobs that no other test has created: of a provider of this test's name."""
    return {"provider": folder.name}
