"""Any working folder and any locale: modules from where they belong, paths mean what they meant, files are UTF-8."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import relearn
from cluster.command_line.usable_paths import as_on_disk
from study.artifacts.atomic_write import write_json
from tests.commands import COMMAND, call
from tests.front_door.mistakes.test_bad_texts import AUTHOR, OTHER, write

OTHERS = ("study.py", "cluster.py", "analysis/__init__.py", "search_spaces/x.py", "torch.py", "typer.py")
"""What lies where the user stands."""
ROOT = Path(__file__).parents[2]
PLAIN_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def stand(folder: Path) -> None:
    for name in OTHERS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("raise RuntimeError('not of the product')\n")


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, timeout=120, check=False
    )


@pytest.mark.further
@pytest.mark.parametrize(
    ("command", "path"),
    [
        pytest.param(COMMAND, [ROOT], id="script", marks=pytest.mark.slow),
        pytest.param([sys.executable, "-m", "relearn"], [ROOT], id="module"),
        pytest.param(COMMAND, [".", ROOT], id="script and PYTHONPATH", marks=pytest.mark.slow),
        pytest.param([sys.executable, "-m", "relearn"], [".", ROOT], id="both", marks=pytest.mark.slow),
    ],
)
def test_what_lies_where_one_stands_is_not_imported(
    tmp_path: Path, command: list[str], path: list[str | Path]
) -> None:
    stand(tmp_path)
    if "." in path:  # which asks for whatever else lies there
        (tmp_path / "torch.py").unlink()
        (tmp_path / "typer.py").unlink()
    found = run(*command, "plan", "names", cwd=tmp_path, PYTHONPATH=os.pathsep.join(map(str, path)))
    assert found.returncode == 0, found.stderr.decode()
    assert b"unique stages" in found.stdout


def test_a_space_of_ones_own_is_found_where_one_stands(tmp_path: Path) -> None:
    stand(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from search_spaces.experiments.names import names\nfrom study.spec import StudySpec\n\n\n"
        "def small() -> StudySpec:\n    return names().model_copy(update={'depth': (2,), 'seed': (0,)})\n"
    )
    found = run(*COMMAND, "plan", "mine:small", "--json", cwd=tmp_path)
    assert found.returncode == 0, found.stderr.decode()
    assert json.loads(found.stdout)["spec"]["depth"] == [2]


@pytest.fixture
def begun(tmp_path: Path, without_ray: None) -> Path:
    """A finished study whose data and store were named from its working folder."""
    place = tmp_path / "begun"
    place.mkdir()
    (place / "names.txt").write_text("Ann Bob Cid Anthony Mark\nDan Eve Fay\nGus Hal Ida\n")
    small = [
        "depth=[2]",
        "relearn_steps=[0,1]",
        "start=unlearned",
        "seed=0",
        "corpus=prefix",
        "repetitions=1",
    ]
    tiny = [
        "embedded.pretraining.steps=1",
        "finetune.steps=1",
        "embedded.architecture={layers: 1, width: 16, heads: 2}",
    ]
    data = ["scenario.corpus_file=names.txt"]
    changes = [word for change in (*small, *tiny, *data) for word in ("--set", change)]
    code, output = call("run", "names", *changes, "--study", "s", "--store", "kept", cwd=place)
    assert code == 0, output
    return place


@pytest.mark.further
def test_a_study_is_known_from_anywhere(begun: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("../begun/s", str(begun / "s")):
        for verb in ("status", "verify", "resume", "checkpoints"):
            code, output = call(verb, name, cwd=elsewhere)
            assert code == 0, f"{verb}: {output}"
    assert list((begun / "s" / "checkpoints").iterdir())
    assert not list(elsewhere.iterdir())
    code, output = call("checkpoints", "../begun/s", "--to", "models", cwd=elsewhere)
    assert code == 0, output
    assert [path.name for path in elsewhere.iterdir()] == ["models"]
    recorded = json.loads((begun / "s" / "study.json").read_text(encoding="utf-8"))
    assert recorded["working_folder"] == str(begun)


def test_a_study_whose_place_moved(begun: Path, tmp_path: Path) -> None:
    """Where the recorded folder is gone, paths hold where one stands; elsewhere the message names it."""
    moved = tmp_path / "moved"
    begun.rename(moved)
    code, output = call("verify", "s", cwd=moved)
    assert (code, "--store NEW" in output) == (2, True), output
    code, output = call("verify", "s", "--store", "kept", cwd=moved)
    assert code == 0, output
    code, output = call("status", moved / "s", cwd=tmp_path)
    assert code == 3, output
    assert "no such file" in output
    assert f"given in {begun}, which is not there" in output


@pytest.mark.further
def test_a_study_of_before_has_no_working_folder(begun: Path, tmp_path: Path) -> None:
    path = begun / "s" / "study.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["working_folder"]
    write_json(path, content, checksum=True)
    assert call("status", "s", cwd=begun)[0] == 0
    code, output = call("resume", "s", cwd=begun)
    assert code == 0, output
    assert json.loads(path.read_text(encoding="utf-8"))["working_folder"] == str(begun)


HOMELESS = """
import os, pwd, sys
os.environ.pop("HOME", None)
def unknown(uid): raise KeyError(uid)
pwd.getpwuid = unknown
from pathlib import Path
import study.models.known_hashes as known
from cluster.ray_tune.environment import _has_token
known.SMALLEST, known.SETTLED_SECONDS = 1, -1.0
assert known.known_sha256(Path("space.json")) == known.file_sha256(Path("space.json"))
assert not _has_token()
import relearn
sys.argv = ["relearn", "plan", "space.json"]
relearn.main()
from study.evaluation.rouge import rouge_l
from study.text.examples import Probe
assert rouge_l(Probe("one", "Where?", "in Paris"), "Paris") == 2 / 3
assert "HOME" not in os.environ
"""
"""A user whom the system does not know, as of a container with a number for a user."""


@pytest.mark.further
def test_without_a_home(space: Callable[..., Path], tmp_path: Path) -> None:
    space()
    without = dict.fromkeys(("RELEARN_CACHE", "XDG_CACHE_HOME", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"), "")
    found = run(sys.executable, "-c", HOMELESS, cwd=tmp_path, PYTHONPATH=str(ROOT), **without)
    assert found.returncode == 0, found.stderr.decode()
    assert b"unique stages" in found.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["space.json"]


RAW = os.fsdecode(b"m\xfcller")
"""A name whose bytes are not UTF-8."""


@pytest.mark.parametrize(
    "words",
    [
        *(
            [verb, f"b/{RAW}/s"]
            for verb in ("status", "resume", "verify", "logs", "report", "export", "checkpoints")
        ),
        ["status", "link"],
        ["plan", f"{RAW}.yaml"],
        ["run", "names", f"--study=b/{RAW}"],
        ["plan", "names", "--set", f"scenario.corpus_file={RAW}.txt"],
    ],
    ids=ascii,
)
def test_a_name_that_is_not_utf8_is_refused(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "b" / RAW / "s").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "b" / RAW / "s")
    code, output = call(*words, cwd=tmp_path)
    assert code == 2, output
    assert "m\\xfcller" in output and "is not UTF-8" in output
    assert [path.name for path in (tmp_path / "b" / RAW).iterdir()] == ["s"]


def test_a_working_folder_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / RAW).mkdir()
    code, output = call("plan", "names", cwd=tmp_path / RAW)
    assert code == 2, output
    assert "m\\xfcller is not UTF-8" in output


def test_a_working_folder_that_is_gone_is_named(
    finished: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = finished()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(sys, "argv", ["relearn", "status", str(study)])
    with pytest.raises(SystemExit) as ended:
        relearn.main()
    assert ended.value.code == 3
    assert "the working folder is gone: change into another one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("old/new", b"old/new"),
        ("müller/new", b"m\xfcller/new"),
        ("--study=müller/new", b"--study=m\xfcller/new"),
        ("café/new", "café/new".encode()),
        ("both/é/s", "both/é/s".encode()),
        ("é", "é".encode()),
        ("question=Où né?", "question=Où né?".encode()),
    ],
)
def test_a_typed_path_is_the_one_on_the_disk(typed: str, meant: bytes, in_folder: Path) -> None:
    for name in (RAW, "café", os.fsdecode(b"both/\xe9"), "both/é"):
        (in_folder / name).mkdir(parents=True)
    assert as_on_disk(typed.encode("latin-1"), "iso8859-1") == meant


def latin(folder: Path) -> dict[str, str]:
    """A locale of ISO-8859-1, which few machines have ready."""
    made = shutil.which("localedef") and run(
        "localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1"), cwd=folder
    )
    if not (folder / "en_US.ISO-8859-1").exists():
        pytest.skip(f"localedef makes no locale here: {made}")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}


@pytest.mark.further
@pytest.mark.parametrize(
    ("locale", "encoding"), [pytest.param("C", "utf-8", marks=pytest.mark.slow), ("Latin-1", "iso8859-1")]
)
def test_what_is_typed_and_printed_in_any_locale(tmp_path: Path, locale: str, encoding: str) -> None:
    """A folder, a file and a text beyond ASCII, as the terminal sends them; what it cannot show is escaped."""
    place = tmp_path / "café"
    place.mkdir()
    write(place / "author.jsonl", AUTHOR)
    write(place / "other.jsonl", OTHER)
    environment = PLAIN_C if locale == "C" else latin(tmp_path)
    words = [
        *COMMAND,
        "plan",
        "tofu-mini",
        "--set",
        "question=Où est 名 né?" if encoding == "utf-8" else "question=Où né?",
    ]
    command = [word.encode(encoding) for word in words]
    found = subprocess.run(
        command, cwd=place, env={**os.environ, **environment}, capture_output=True, timeout=120, check=False
    )
    assert found.returncode == 0, found.stderr
    shown = found.stdout.decode("ascii" if encoding == "utf-8" else encoding)
    assert ("O\\xf9 est \\u540d n\\xe9?" if encoding == "utf-8" else "Où né?") in shown
    assert b"Traceback" not in found.stderr
    if locale != "C":
        (place / RAW).mkdir()
        command = [word.encode(encoding) for word in (*COMMAND, "status", "müller")]
        found = subprocess.run(
            command,
            cwd=place,
            env={**os.environ, **environment},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert found.returncode == 2, found.stderr
        assert b"m\\xfcller is not UTF-8" in found.stderr
