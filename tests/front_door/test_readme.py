"""The README's tree is true: every source file has its line, in its own words, and every line its file."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tree() -> dict[str, str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.split("<!-- the tree")[1].split("```")[1]
    pairs = (line.split(maxsplit=1) for line in block.strip().splitlines())
    return {line[0]: line[1] for line in pairs}


def sources() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in listed if not name.startswith("tests/") and (ROOT / name).exists()]


def test_every_folder_has_its_line_in_the_words_of_its_docstring() -> None:
    folders = sorted({str(Path(name).parent) for name in sources() if "/" in name})
    modules = {"relearn.py": "relearn.py", **{f"{name}/": f"{name}/__init__.py" for name in folders}}
    words = {
        name: (ast.get_docstring(ast.parse((ROOT / module).read_text(encoding="utf-8"))) or "").split("\n")[0]
        for name, module in modules.items()
        if (ROOT / module).exists()  # benchmarks/scaling/without_compute is no package
    }
    assert len(words) > 20
    assert {name: line for name, line in tree().items() if name in words} == words


def test_every_module_says_what_it_is() -> None:
    assert [
        name
        for name in sources()
        if not ast.get_docstring(ast.parse((ROOT / name).read_text(encoding="utf-8")))
    ] == []


def test_every_line_has_its_file() -> None:
    assert [name for name in tree() if not (ROOT / name).exists()] == []


def test_at_most_five_files_are_to_be_read_first_and_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    sentence = text.split("Read first, in this order:")[1].split(".\n")[0]
    named = [part.strip("` \n") for part in sentence.replace("\n", " ").split(",")]
    assert 1 <= len(named) <= 5
    assert all((ROOT / name).is_file() for name in named)


def test_files_are_small() -> None:
    long = {
        name: lines
        for name in sources()
        if (lines := len((ROOT / name).read_text(encoding="utf-8").splitlines())) > 400
    }
    assert long == {}


def test_no_names_that_say_nothing() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "misc", "manager"}
    assert [name for name in sources() if Path(name).stem in vague] == []
