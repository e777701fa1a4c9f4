"""The report over whole, partial, empty and hostile studies."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from analysis.export import export
from analysis.report import write_report
from tests.analysis.conftest import lawful


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []
        self.alternatives: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        self.alternatives += [value or "" for name, value in attrs if name == "alt"]


def page(folder: Path) -> tuple[str, Links]:
    text = write_report(folder).read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    return text, links


def test_the_page_needs_nothing_but_itself(study_folder) -> None:
    folder = study_folder(lawful)
    text, links = page(folder)
    assert len(links.found) == 3
    assert all(link.startswith("data:image/png;base64,") for link in links.found)
    assert all(len(words) > 20 for words in links.alternatives)
    assert "script" not in links.tags
    assert not re.search(r"url\(|@import|https?://", text)
    for name in ("heatmap.png", "curves.png", "controls.png"):
        assert (folder / "report" / name).read_bytes().startswith(b"\x89PNG")
    assert "| 7 | 0%" in (folder / "report" / "results.md").read_text()


def test_its_sentences_are_computed(study_folder) -> None:
    text, _ = page(study_folder(lawful))
    # 4 repetition counts × 2 depths × 3 corpora × 3 seeds, all unlearned.
    assert "Of 72 benign relearnings of 40 steps, 72 started" in text
    assert "from 0% to 90%" in text


@pytest.mark.parametrize(
    "rate", [lambda **_: None, lambda **_: 0.0, lambda **_: 1.0, lambda seed, **_: 0.5 if seed else None]
)
def test_edges_make_a_page_and_no_crash(study_folder, rate) -> None:
    text, _ = page(study_folder(rate))
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text).lower()


def test_missing_and_failed_are_named(study_folder) -> None:
    failure = {
        "label": "unlearn (r 7)",
        "cause": "diverged",
        "message": "left the finite numbers",
        "stage": "x",
    }
    text, _ = page(
        study_folder(lambda seed, **p: None if seed == 2 else lawful(seed=seed, **p), failures=(failure,))
    )
    assert "108 cells are missing and shown as missing" in text
    assert "unlearn (r 7)" in text
    assert "left the finite numbers" in text
    assert "1 stages failed" in text


def test_hostile_names_stay_text(study_folder) -> None:
    evil = '<script>alert("x")</script><img src=http://evil>'
    folder = study_folder(lambda **_: 0.5, corpora=(evil,), seeds=(0,), repetitions=(7,))
    text, links = page(folder)
    assert "script" not in links.tags
    assert not any("evil" in link for link in links.found)
    assert "&lt;script&gt;" in text


def test_export_holds_every_row(study_folder, tmp_path: Path) -> None:
    folder = study_folder(lawful)
    written = export(folder, "csv") + export(folder, "parquet", tmp_path / "elsewhere")
    assert [path.name for path in written] == ["cells.csv", "probes.csv", "cells.parquet", "probes.parquet"]
    csv, parquet = pd.read_csv(written[0]), pd.read_parquet(written[2])
    assert len(csv) == len(parquet) == 2 * 324  # two metrics of each planned cell
    assert csv.loc[csv["metric"] == "target_nll", "k"].isna().all()
    assert csv["value"].sum() == pytest.approx(parquet["value"].sum())
