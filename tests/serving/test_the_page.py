"""The walk of docs/API.md as it is printed there, against a server in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

from study.settings.relearning import own_name
from tests.commands import ROOT
from tests.serving.servers import Server

PAGE = (ROOT / "docs" / "API.md").read_text(encoding="utf-8")


def printed(language: str) -> str:
    """The page's only block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def typed(server: Server, folder: Path, language: str, *command: str) -> str:
    """What a block prints; only the address and the depth are the server's of this test."""
    service = folder / "studies" / "mine" / "service"
    service.mkdir(parents=True)
    (service / "token").write_text(f"{server.token}\n")
    text = printed(language)
    for theirs, ours in {
        "http://127.0.0.1:8765/v1": server.url,
        own_name("unlearned", "gradient_ascent", 7, 0, 8): own_name("unlearned", "gradient_ascent", 7, 0, 2),
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    done = subprocess.run([*command, text], cwd=folder, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_lines_for_openais_client(server: Server, tmp_path: Path) -> None:
    first, *checkpoints = typed(server, tmp_path, "python", sys.executable, "-c").splitlines()
    assert own_name("unlearned", "gradient_ascent", 7, 0, 2) in first
    assert sorted(int(line.split()[0]) for line in checkpoints) == [1, 2, 3, 4, 5]


def test_the_lines_for_curl(server: Server, tmp_path: Path) -> None:
    printed_by_curl = typed(server, tmp_path, "bash", "bash", "-ec")
    assert printed_by_curl.count('"fine_tuning.job.checkpoint"') == 3, "three epochs are the service's choice"
    assert '"text_completion"' in printed_by_curl
