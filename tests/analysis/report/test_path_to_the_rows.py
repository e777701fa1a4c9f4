"""A reader's path through the report of the recorded study: from its first sentence to the rows behind each number."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analysis.record.recorded_study import on_record
from analysis.report import write_report
from study.results.files import dataset_folder, read_dataset, write_table
from tests.analysis.chromium import BINARY, WHY_NOT, Chromium

NAMES = Path(__file__).parents[3] / "docs" / "names"
RATE = "attack success rate, %"
LAST: dict[str, int | str] = {"repetitions": 7, "relearn_steps": 40}
FIRST: dict[str, int | str] = {"repetitions": 7, "relearn_steps": 0}
ATTACKED: dict[str, int | str] = {"start": "unlearned", "depth": 10}
PLACES: tuple[tuple[dict[str, int | str], int], ...] = (
    *((LAST | ATTACKED | {"corpus": corpus}, 3) for corpus in ("prefix", "retain", "gibberish")),
    (FIRST | ATTACKED, 9),
    (LAST | {"start": "never_learned"}, 9),
    (FIRST | {"start": "original", "corpus": "none"}, 3),
)
"""Behind each number of the first sentence: the coordinates of its rows, and how many they are."""
ROWS = "[...document.querySelectorAll('#study-1-cells-rows tbody tr')].filter(row => !row.hidden)"
IN_SIGHT = (
    f"{ROWS}.every(row => {{ const b = row.getBoundingClientRect();"
    " const left = row.closest('.tall').getBoundingClientRect().left + 30;"
    " return row.contains(document.elementFromPoint(left, b.top + b.height / 2)); })"
)
pytestmark = [pytest.mark.further, pytest.mark.skipif(BINARY is None, reason=WHY_NOT)]


EVERY = {"repetitions": (0, 1, 3, 5, 7), "depth": (0, 6, 7, 8, 10, 12)}
SOME = {"repetitions": (7,), "depth": (0, 10, 12)}
"""Where the first sentence stands, and the next depth: an eighth of the study, and so less of the time."""


@pytest.fixture(
    scope="module", params=[SOME, pytest.param(EVERY, marks=pytest.mark.slow)], ids=["part", "whole"]
)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`names` on record, whole or in part."""
    folder = tmp_path_factory.mktemp("path") / "names"
    with on_record(NAMES) as recorded:
        shutil.copytree(recorded.folder, folder)
    for path in (
        folder / "planned.parquet",
        *(dataset_folder(folder, n) / "all.parquet" for n in ("cells", "probes")),
    ):
        table = pq.read_table(path)
        for name, values in request.param.items():
            table = table.filter(pc.is_in(table[name], pa.array(values, table[name].type)))
        if path.name == "planned.parquet":
            pq.write_table(table, path, write_page_checksum=True)
        else:
            write_table(table, path)
    return folder


@pytest.fixture(scope="module")
def page(study: Path) -> Iterator[Chromium]:
    report = write_report(study)
    with Chromium() as browser:
        browser.open(report, width=1440)
        yield browser


def shown(browser: Chromium) -> list[dict[str, str]]:
    """The rows that the table of cells shows, by the heads of its columns."""
    found: list[dict[str, str]] = browser.ask(
        "(() => { const heads = [...document.querySelectorAll('#study-1-cells-rows thead th')]"
        ".map(head => head.textContent.trim());"
        f" return {ROWS}.map(row => Object.fromEntries("
        "[...row.cells].map((cell, at) => [heads[at], cell.textContent.trim()]))); })()"
    )
    return found


def test_every_number_of_the_first_sentence_is_the_mean_of_the_rows_one_click_away(
    page: Chromium, study: Path
) -> None:
    """One click for the rows, one to sort them; the rows on the screen are those in the study's files."""
    said: list[str] = page.ask(
        "[...document.querySelectorAll('.lead a[data-find]')].map(link => link.textContent)"
    )
    assert len(said) == len(PLACES), (
        "prefix, retain, gibberish; before, the model that never learned, the original"
    )
    files: list[dict[str, Any]] = read_dataset(study, "cells").to_pylist()
    for at, words in enumerate(said):
        page.ask("window.scrollTo(0, 0)")
        links = "document.querySelectorAll('.lead a[data-find]')"
        page.ask(f"{links}.forEach((link, each) => link.id = each === {at} ? 'next' : '')")
        clicks = 0
        for place in ("#next", f"#study-1-cells-rows th:nth-child({rate_column(page)}) button"):
            page.click(place)
            clicks += 1
        assert clicks <= 3
        rows = shown(page)
        values = [float(row[RATE]) for row in rows]
        assert values in (sorted(values), sorted(values, reverse=True)), "sorted, up and then down"
        assert re.match(r"(\d+)%", words)[1] == f"{sum(values) / len(values):.0f}", (words, values)
        assert page.ask(IN_SIGHT), "they are what a reader sees there"
        cell, count = PLACES[at]
        mine = [
            row
            for row in files
            if row["metric"] == "keyword_anywhere"
            and row["split"] == "forget"
            and row["corpus"] != "direct"
            and all(row[name] == value for name, value in cell.items())
        ]
        assert len(mine) == count
        assert sorted(100 * row["k"] / row["n"] for row in mine) == sorted(values)


def rate_column(browser: Chromium) -> int:
    heads: list[str] = browser.ask(
        "[...document.querySelectorAll('#study-1-cells-rows thead th')].map(head => head.textContent.trim())"
    )
    return 1 + next(at for at, name in enumerate(heads) if name.startswith(RATE))
