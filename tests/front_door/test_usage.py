"""docs/USAGE.md is true: its commands run in the order of the page, and it has every verb and every key.

The fast test runs every line in this process, its studies without Ray; the slow one types every line as a reader
would, with a local Ray for each run.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

import relearn
from study.scenarios import SCENARIOS
from study.settings.part import Part
from study.spec import StudySpec
from study.unlearning import METHODS
from tests.without_ray import take_ray_out

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "USAGE.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ title=\"(\S+)\"\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def commands() -> Iterator[tuple[list[str], int]]:
    """Each line's words after ``relearn``, and the exit code that its comment promises."""
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        for line in block.strip().splitlines():
            promised = re.search(r"# exit code (\d+)", line)
            words = shlex.split(line, comments=True)
            assert words[0] == "relearn"
            yield words[1:], int(promised[1]) if promised else 0


@pytest.mark.further
@pytest.mark.timeout(1200)
def test_every_line_with_ray_taken_out(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take_ray_out(monkeypatch)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    for words, code in commands():
        monkeypatch.setattr(sys, "argv", ["relearn", *words])
        with pytest.raises(SystemExit) as ended:
            relearn.main()
        assert (ended.value.code or 0) == code, f"relearn {' '.join(words)}\n{capsys.readouterr()}"
    assert Path("studies/first/report/index.html").is_file()
    assert Path("studies/report/index.html").is_file()
    assert Path("studies/first/export/cells.csv").is_file()
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    exec(block, {})  # noqa: S102 - the page's own words


@pytest.mark.slow
def test_every_line_as_a_reader_types_it(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = str(Path(sys.executable).parent / "relearn")
    for words, code in commands():
        done = subprocess.run(
            [command, *words],
            cwd=tmp_path,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, f"relearn {' '.join(words)}\n{done.stdout}{done.stderr}"


def test_every_verb_is_there() -> None:
    used = {words[0] for words, _ in commands()}
    verbs = {each.name or each.callback.__name__ for each in relearn.app.registered_commands if each.callback}
    assert used == verbs


def keys(part: type[Part]) -> Iterator[str]:
    """The fields of a part of a spec, and of all parts within it."""
    for name, field in part.model_fields.items():
        yield name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Part) and kind is not Part:
                yield from keys(kind)


def test_every_key_is_there() -> None:
    written: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            written.update(map(str, value))
            for each in value.values():
                collect(each)

    for name, text in FILES.items():
        if name.endswith(".yaml"):
            collect(yaml.safe_load(text))
    written |= set(re.findall(r"`([a-z_]+)[`=]", PAGE)) | set(re.findall(r"\b([a-z_]+): ", PAGE))
    parts: tuple[Any, ...] = (StudySpec, *SCENARIOS.values(), *METHODS.values())
    for part in parts:
        assert set(keys(part)) - written == set(), part.__name__


def test_the_file_of_every_key_has_the_execution_whole() -> None:
    fields = yaml.safe_load(FILES["every.yaml"])
    assert set(fields["execution"]) == set(StudySpec.model_fields["execution"].annotation.model_fields)  # type: ignore[union-attr]
    assert set(StudySpec.model_fields) - set(fields) == {"checkpoints", "search"}
