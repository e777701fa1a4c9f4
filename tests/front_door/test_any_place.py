"""Any working folder and any locale: modules from where they belong, paths mean what they meant, files are UTF-8."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from study.artifacts.atomic_write import write_json
from tests.commands import COMMAND, call
from tests.front_door.test_bad_texts import AUTHOR, OTHER, write

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
    assert code == 0, output
    code, output = call("status", moved / "s", cwd=tmp_path)
    assert code == 3, output
    assert "no such file" in output
    assert f"given in {begun}, which is not there" in output


def test_a_study_of_before_has_no_working_folder(begun: Path, tmp_path: Path) -> None:
    path = begun / "s" / "study.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["working_folder"]
    write_json(path, content, checksum=True)
    assert call("status", "s", cwd=begun)[0] == 0
    code, output = call("resume", "s", cwd=begun)
    assert code == 0, output
    assert json.loads(path.read_text(encoding="utf-8"))["working_folder"] == str(begun)


def latin(folder: Path) -> dict[str, str]:
    """A locale of ISO-8859-1, which few machines have ready."""
    made = shutil.which("localedef") and run(
        "localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1"), cwd=folder
    )
    if not (folder / "en_US.ISO-8859-1").exists():
        pytest.skip(f"localedef makes no locale here: {made}")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}


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
