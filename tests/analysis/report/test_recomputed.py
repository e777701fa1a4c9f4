"""Numbers that are shown of the recorded studies, against a second program that reads the Parquet alone."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.record.recorded_study import on_record
from tests.analysis.recompute import estimators, record

DOCS = Path(__file__).parents[3] / "docs"


def cells(name: str) -> pd.DataFrame:
    return pd.read_parquet(DOCS / name / "cells.parquet")


@pytest.fixture(scope="module")
def names():
    with on_record(DOCS / "names") as study:
        yield study


@pytest.mark.parametrize(
    ("repetitions", "depth", "corpus"),
    [(7, 10, "prefix"), (7, 8, "retain"), (5, 12, "prefix"), (3, 6, "gibberish")],
)
def test_the_surface_of_the_names_study(names, repetitions: int, depth: int, corpus: str) -> None:
    shown = analysis.surface(
        names.cells, start="unlearned", corpus=corpus, repetitions=repetitions, depth=depth, relearn_steps=40
    ).iloc[0]
    rows = cells("names").query(
        "start == 'unlearned' and metric == 'keyword_anywhere' and split == 'forget' and relearn_steps == 40"
    )
    rows = rows[(rows["repetitions"] == repetitions) & (rows["depth"] == depth) & (rows["corpus"] == corpus)]
    assert shown["rate"] == pytest.approx(rows["k"].sum() / rows["n"].sum())
    assert (shown["low"], shown["high"]) == pytest.approx(estimators.rate(rows["k"].tolist(), 100), abs=0.012)


def test_the_law_on_seeds_not_seen(names) -> None:
    found = analysis.law(names, cells("names_held_out"))
    shown = found.scores.set_index("asked")
    again = record.law(cells("names"), cells("names_held_out"))
    assert shown.loc["other cells", "explained"] == pytest.approx(again, abs=0.005)
    assert again == pytest.approx(0.80, abs=0.005), "as docs/RESULTS.md says"
    text, slopes = (
        (DOCS / "RESULTS.md").read_text(encoding="utf-8"),
        found.coefficients.set_index("term")["value"],
    )
    other, within = shown.loc["other cells"], shown.loc["each seed from the others"]
    error, lookup = 100 * other["error"], 100 * other["lookup"]
    assert (
        f"with an error of {error:.0f} points; a lookup of all 300 cell means explains {lookup:.0f}%" in text
    )
    prefix, retain, gibberish = (slopes[f"b, {corpus}"] for corpus in ("prefix", "retain", "gibberish"))
    assert f"(b = {prefix:.1f} and {retain:.1f}) and hurt on gibberish (−{-gibberish:.1f})" in text
    text = (DOCS / "STATISTICS.md").read_text(encoding="utf-8")
    assert f"explains {100 * within['explained']:.0f}%, the lookup {100 * within['lookup']:.0f}%" in text


def test_the_contrasts_of_six_seeds_in_the_results() -> None:
    text = (DOCS / "RESULTS.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- six seeds -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    shown = [line for line in table.splitlines() if re.match(r"\| (prefix|depth)", line)]
    again = record.six_seeds(cells("names"), cells("names_held_out"))
    assert len(shown) == len(again)
    for line, row in zip(shown, again.to_dict("records"), strict=True):
        ends = f"{row['value']:+.0f} ({row['low']:+.0f} to {row['high']:+.0f})"
        words, points, p, seeds = (part.strip() for part in line.strip("| ").split("|"))
        assert (words, points.replace("−", "-")) == (row["words"], ends)
        assert float(p) == pytest.approx(row["p"], rel=0.2)
        assert seeds.replace("−", "-").split(", ") == [f"{value:.0f}" for value in row["seeds"]]


def test_differences_that_were_found_keep_their_sign_in_other_seeds(names) -> None:
    table = analysis.compare(
        names.scores("keyword_anywhere", relearn_steps=40, start="unlearned"), "corpus", "keyword_anywhere"
    )
    new = (
        cells("names_held_out")
        .query("relearn_steps == 40")
        .groupby(["repetitions", "depth", "corpus"])["value"]
        .mean()
    )
    later = [
        new[row.repetitions, row.depth, str(row.one)] - new[row.repetitions, row.depth, str(row.other)]
        for row in table.itertuples()
    ]
    found = (table["p"] < 0.05).to_numpy()
    assert (found.sum(), (table["p_adjusted"] < 0.05).sum()) == (29, 13), "as docs/RESULTS.md says"
    assert (np.sign(table["difference"])[found] == np.sign(later)[found]).all()
