"""What lies in a study's folder is data: never code, never a path out, never a tag in the report, never a secret."""

import json
import pickle
import shutil
import tempfile
from pathlib import Path

import pytest

from cluster.study_folder.event_log import EventLog, read_events
from cluster.study_folder.failures import Cause, Failure, FailureRecords
from cluster.study_folder.lease import hold
from cluster.study_folder.redaction import redacted
from tests.commands import call
from tests.conftest import TINY
from tests.without_ray import run_without_ray

VERBS = [
    ["status"],
    ["verify"],
    ["logs"],
    ["report"],
    ["export"],
    ["score", "--metric", "rouge_l"],
    ["resume"],
]
OUTSIDE = Path(tempfile.gettempdir()) / "outside-of-any-study"
NASTY = {
    "up": "../../../outside",
    "newline": "two\nlines",
    "html": "<script>alert('a')</script><img src=x onerror=alert(1)>",
    "long": "n" * 300,
    "absolute": str(OUTSIDE),
}


class Planted:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.sign,))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study, run once."""
    return run_without_ray(TINY, tmp_path_factory.mktemp("finished")).parent


@pytest.mark.further
def test_a_planted_pickle_is_never_loaded(finished: Path) -> None:
    sign = finished / "executed"
    bomb = pickle.dumps(Planted(sign))
    pickle.loads(bomb)
    assert sign.exists(), "the bomb works"
    sign.unlink()
    study = finished / "s"
    folders = {path.parent for path in study.rglob("*") if path.is_file()} | {
        study,
        study / ".tune" / "old" / "run",
    }
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (
            "pytorch_model.bin",
            "tuner.pkl",
            "trainable.pkl",
            "searcher-state.pkl",
            "experiment_state.json",
        ):
            (folder / name).write_bytes(bomb)
    for verb, *rest in VERBS:
        _, output = call(verb, "s", *rest, cwd=finished)
        assert "Traceback" not in output, output
        assert not sign.exists(), verb
    for folder in folders:
        for name in (
            "pytorch_model.bin",
            "tuner.pkl",
            "trainable.pkl",
            "searcher-state.pkl",
            "experiment_state.json",
        ):
            (folder / name).unlink(missing_ok=True)


@pytest.mark.parametrize(
    "nasty",
    [
        pytest.param(text, id=name, marks=[pytest.mark.slow] if name in ("long", "absolute") else [])
        for name, text in NASTY.items()
    ],
)
def test_a_name_stays_a_name(finished: Path, tmp_path: Path, nasty: str) -> None:
    """As the study's name it is refused or stays within the folder; as its question it stays text."""
    place = tmp_path / "deep" / "down"
    shutil.copytree(finished / "s", place / "s")
    (place / "space.json").write_text(json.dumps({**TINY, "name": nasty}))
    before = {path for path in tmp_path.rglob("*") if "deep" not in path.parts}
    _, output = call("plan", "space.json", cwd=place)
    assert "Traceback" not in output, output
    code, output = call("run", "space.json", "--set", "execution.cpus=9999", cwd=place)
    assert code in (2, 3), output
    assert "Traceback" not in output, output
    assert {path for path in tmp_path.rglob("*") if "deep" not in path.parts} == before
    assert not OUTSIDE.exists()
    content = json.loads((place / "s" / "study.json").read_text())
    content["spec"]["question"] = nasty
    (place / "s" / "study.json").write_text(json.dumps(content))
    code, output = call("report", "s", cwd=place)
    assert code == 0, output
    page = (place / "s" / "report" / "index.html").read_text()
    assert page.lower().count("<script") == 1  # its own, which sorts tables
    assert "<img src=x" not in page


def test_secrets_are_masked(planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hf_abcdefghijklmnop"
    monkeypatch.setenv("HF_TOKEN", secret)
    monkeypatch.setenv("OPENAI_API_KEY", 'sk-with"quote-and-more')
    EventLog(tmp_path).write(
        "stage failed", message=f"401 for Bearer {secret}", more='sk-with"quote-and-more'
    )
    plan = planned()
    failure = Failure(Cause.ERROR, f"https://user:{secret}@hub")
    with hold(tmp_path) as lease:
        FailureRecords(tmp_path).write(lease, plan, next(iter(plan.stages)), failure)
    texts = [path.read_text() for path in tmp_path.glob("[!.]*/*") if path.is_file()]
    texts += [path.read_text() for path in tmp_path.glob("*.jsonl")]
    assert len(texts) == 2
    assert not any(secret in text or "quote-and-more" in text for text in texts)
    (event,) = read_events(tmp_path)
    assert event["message"] == "401 for Bearer [secret]"


def test_what_a_study_asks_is_no_secret(
    without_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables whose names only look alike, and words of the question that a variable holds too."""
    (tmp_path / "space.json").write_text(json.dumps(TINY))
    monkeypatch.setenv("TOKENIZER", "gradient_ascent")
    monkeypatch.setenv("MY_KEY", "embedded")
    for _ in range(2):
        code, output = call("run", "space.json", "--study", "s", cwd=tmp_path)
        assert code == 0, output
    assert json.loads((tmp_path / "s" / "study.json").read_text())["spec"]["model"] == ["embedded"]
    monkeypatch.setenv("HFTOKEN", "hf_abcdefghijklmnop")
    assert redacted({"a": ["hf_abcdefghijklmnop", "gradient_ascent"]}) == {
        "a": ["[secret]", "gradient_ascent"]
    }


def test_no_secret_of_a_run_reaches_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is finished without Ray; one on a real Ray that fails: tests/cluster/test_run.py."""
    secret = "hf_abcdefghijklmnop"
    monkeypatch.setenv("HF_TOKEN", secret)
    monkeypatch.setenv("RELEARN_SECRET", secret)
    study = run_without_ray(TINY, tmp_path)
    (tmp_path / "other.json").write_text(json.dumps({**TINY, "model": [f"nobody/{secret}"]}))
    code, output = call("run", "other.json", "--study", "t", cwd=tmp_path)
    assert code != 0, output
    files = [path for folder in (study, tmp_path / "t") for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not any(secret.encode() in path.read_bytes() for path in files)
