"""What docs/STATISTICS.md shows is executed: the line of DuckDB, and the lines of Python."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

import analysis
from tests.analysis.conftest import lawful

PAGE = (Path(__file__).parents[3] / "docs" / "STATISTICS.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_duckdb_reads_the_parquet_alone(study_folder) -> None:
    folder = study_folder(lawful)
    (line,) = [line for line in PAGE.splitlines() if "duckdb.sql" in line]
    found = eval(line.replace("studies/names", str(folder)), {"duckdb": duckdb}).df()  # noqa: S307 - our own page
    expected = analysis.surface(
        analysis.load(folder).cells, start="unlearned", pool=("seed", "corpus", "repetitions")
    ).sort_values(["depth", "relearn_steps"])
    assert found["asr"].tolist() == pytest.approx(expected["rate"].tolist())
    assert len(found) == 6


def test_the_lines_of_python_run(study_folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study_folder(lawful)
    (folder.parent / "studies").mkdir()
    folder.rename(folder.parent / "studies" / "names")
    monkeypatch.chdir(folder.parent)
    names: dict[str, Any] = {}
    for block in blocks():
        exec(compile(block, "docs/STATISTICS.md", "exec"), names)  # noqa: S102 - our own page
    assert len(names["table"]) > 0
    assert (
        names["rates"][-1]
        == names["table"].query("corpus == 'prefix' and repetitions == 7 and depth == 8")["final"].item()
    )
