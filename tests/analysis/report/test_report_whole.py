"""The report's folder is whole or absent: killed in the middle, in place of an old one, and where something stands."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.report import write_report
from study.errors import SpecError
from tests.analysis.conftest import lawful
from tests.commands import call

KILLED = """
import os, signal, sys
import analysis.report
from pathlib import Path

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

setattr({where}, {name!r}, die)
analysis.report.write_report(Path(sys.argv[1]))
"""


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


@pytest.mark.further
@pytest.mark.parametrize(
    ("where", "name"),
    [("analysis.report", "render_page"), pytest.param("os", "fsync", marks=pytest.mark.slow)],
)
def test_a_process_killed_in_the_middle_leaves_what_was_there(study_folder, where: str, name: str) -> None:
    """Killed when all pictures are written and the page is not, and when all is written and nothing is on the disk."""
    folder = study_folder(lawful, corpora=("prefix",), repetitions=(7,), seeds=(0,), depths=(6,))
    command = [sys.executable, "-c", KILLED.format(where=where, name=name), str(folder)]
    for report_is_there in (False, True):
        before: dict[str, bytes] = {}
        if report_is_there:
            write_report(folder)
            before = files(folder / "report")
            assert "index.html" in before
        assert subprocess.run(command, timeout=300).returncode == -signal.SIGKILL
        (partial,) = [path for path in folder.iterdir() if path.name.startswith(".report.")]
        assert (partial / "curves.png").exists(), "it was in the middle"
        assert files(folder / "report") == before
        for path in partial.iterdir():
            path.unlink()
        partial.rmdir()


def test_a_report_is_replaced_with_all_that_it_holds(study_folder) -> None:
    folder = study_folder(lawful, corpora=("prefix",), repetitions=(7,), seeds=(0,), depths=(6,))
    page = write_report(folder)
    (folder / "report" / "old.png").write_bytes(b"of a chart that is no more")
    page.write_text(page.read_text().replace("made-up", "an earlier name"))
    write_report(folder)
    assert "an earlier name" not in page.read_text()
    assert not (folder / "report" / "old.png").exists()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".report")] == []


def test_what_is_in_the_way_is_said_and_left(study_folder, tmp_path: Path) -> None:
    folder = study_folder(lawful, corpora=("prefix",), repetitions=(7,), seeds=(0,), depths=(6,))
    (tmp_path / "file").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for target, words in (
        (tmp_path / "file", f"{tmp_path / 'file'} is a file: name"),
        (tmp_path / "file" / "below", f"{tmp_path / 'file'} is a file: name"),
        (tmp_path / "mine", "notes.txt would be lost, and no report wrote it"),
    ):
        with pytest.raises(SpecError, match=words):
            write_report(folder, target)
    page = write_report(folder, tmp_path / "new" / "folder")
    (page.parent / "notes.txt").write_text("mine")
    with pytest.raises(SpecError, match=r"notes\.txt would be lost"):
        write_report(folder, page.parent)
    assert (tmp_path / "file").read_text() == (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    code, output = call("report", folder, "--to", tmp_path / "file", cwd=tmp_path)
    assert code == 2
    assert output.startswith("relearn: ") and "Traceback" not in output
