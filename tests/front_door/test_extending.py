"""docs/EXTENDING.md, executed: its files written into a copy, its lines added, its command run."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.commands import OneByOne

ROOT = Path(__file__).parents[2]
ROOMS = ("study", "search_spaces", "cluster", "analysis")


@pytest.mark.slow
def test_a_method_and_a_scenario_are_a_file_and_a_line_each(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "EXTENDING.md").read_text(encoding="utf-8")
    copy = tmp_path / "project"
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "relearn.py", copy)
    blocks = re.findall(r"`(study/\S+\.py)`:\n\n```python\n(.*?)```", page, re.DOTALL)
    lines = re.findall(r"and its line in `(\w+)` \(`(\S+)`\): `(\"(\w+)\": (\w+),)`", page)
    assert len(blocks) == len(lines) == 2
    for path, text in blocks:
        (copy / path).write_text(text, encoding="utf-8")
    for (path, _), (table, where, line, _, name) in zip(blocks, lines, strict=True):
        module = path.removesuffix(".py").replace("/", ".")
        text = (copy / where).read_text(encoding="utf-8")
        text, count = re.subn(
            rf"({table}: .* = {{\n)", rf"from {module} import {name}\n\n\1    {line}\n", text
        )
        assert count == 1
        (copy / where).write_text(text, encoding="utf-8")
    (command,) = re.findall(r"```\n(relearn run .*?)\n```", page, re.DOTALL)
    environment = {"PYTHONPATH": os.pathsep.join([str(copy), str(ROOT)])}
    with OneByOne(tmp_path, environment) as relearn:
        for words in (shlex.split(command)[1:], ["report", "capitals"]):
            code, output = relearn(*words)
            assert code == 0, output
    cells = pd.read_parquet(tmp_path / "capitals" / "results" / "cells")
    assert {"flattening", "gradient_ascent"} <= set(cells["method"])
    assert set(cells["scenario"]) == {"capitals"}
