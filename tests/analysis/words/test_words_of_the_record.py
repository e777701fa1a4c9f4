"""Numbers in the sentences of docs/ that stand in no table: from the committed cells, by pandas and scipy alone.

Each test computes the numbers and then looks for the words, so that neither can change alone.
"""

import json
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.measures.resolution import resolution

DOCS = Path(__file__).parents[3] / "docs"
PLACE = ["repetitions", "depth", "corpus", "relearn_steps", "seed", "start", "method"]


def said(page: str, words: str) -> bool:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", words) in re.sub(r"\s+", " ", text)


def cells(name: str, metric: str = "keyword_anywhere", split: str = "forget") -> pd.DataFrame:
    rows = pd.read_parquet(DOCS / name / "cells.parquet")
    rows = rows[(rows["metric"] == metric) & (rows["split"] == split)]
    text = ["corpus", "start", "method"]
    return rows.assign(**{column: rows[column].astype(str) for column in text})


def test_the_matched_study_beside_the_names_study() -> None:
    names, matched = cells("names"), cells("names-matched")
    both = matched.merge(names, on=PLACE, suffixes=("", "_before"))
    moved = both["k"] - both["k_before"]
    same, least, most = int((moved == 0).sum()), int(-moved.min()), int(moved.max())
    assert said("RESULTS.md", f"{len(both)} of its cells stand in `names`, too")
    assert said(
        "RESULTS.md", f"{same} have the same count, {len(both) - same} differ, by −{least} to +{most} of 100"
    )
    assert matched.loc[matched["start"] == "never_learned", "k"].max() == 0
    here = matched[
        (matched["start"] == "unlearned") & (matched["corpus"] == "gibberish") & (matched["depth"] == 8)
    ]
    low, middle, high = sorted(here.loc[here["relearn_steps"] == 5, "k"].astype(int))
    left = int(here.loc[here["relearn_steps"] == 20, "k"].max())
    assert said(
        "RESULTS.md", f"one seed of three ({low}, {middle} and {high}%), and at most {left}% are left"
    )


def test_what_the_controls_of_names_answer() -> None:
    rows = cells("names")
    never, base = (rows[rows["start"] == start] for start in ("never_learned", "base"))
    assert never["k"].sum() == 0
    assert said("RESULTS.md", f"stays at 0 of {int(never['n'].sum()):,} queries")
    assert said("RESULTS.md", f"the base model at {int(base['k'].sum())} of {int(base['n'].sum())}")


def test_what_is_said_of_the_names_study_beyond_its_tables() -> None:
    rows = cells("names")
    original = rows[rows["start"] == "original"]
    start = original[original["relearn_steps"] == 0].groupby("repetitions")["value"].mean()
    assert said("RESULTS.md", f"(the original answers {100 * start[1]:.1f}%)")
    assert said("RESULTS.md", f"Of three repetitions the original answers {100 * start[3]:.0f}%")
    late = original[
        (original["corpus"] == "gibberish")
        & (original["relearn_steps"] == 40)
        & (original["repetitions"] == 7)
    ]
    assert said(
        "RESULTS.md", f"(`original`: {100 * start[7]:.0f}% → {100 * late['value'].mean():.0f}% at r = 7)"
    )
    seeds = rows.query("start == 'unlearned' and repetitions == 7 and depth == 10 and relearn_steps == 40")
    low, middle, high = sorted(seeds.loc[seeds["corpus"] == "prefix", "k"].astype(int))
    assert said("RESULTS.md", f"the three seeds give {low}%, {middle}% and {high}%")


def test_what_is_forgotten_comes_back_with_what_is_retained() -> None:
    forget, retain = cells("names"), cells("names", split="retain")
    model = ["repetitions", "seed"]
    original = forget[
        (forget["start"] == "original") & (forget["relearn_steps"] == 0) & (forget["corpus"] == "none")
    ]
    surely = [
        stats.binomtest(int(k), int(n)).proportion_ci(method="wilson").low >= 0.5
        for k, n in zip(original["k"], original["n"], strict=True)
    ]
    knew = original.loc[surely, model]
    unlearned = forget[forget["start"] == "unlearned"]
    forgot = unlearned[(unlearned["relearn_steps"] == 0) & (unlearned["value"] <= 0.02)]
    forgot = forgot[[*model, "depth"]].drop_duplicates()
    last = unlearned[(unlearned["relearn_steps"] == 40) & (unlearned["corpus"] != "none")]
    counts = last.merge(knew, on=model).merge(forgot, on=[*model, "depth"])
    both = counts.merge(retain, on=PLACE, suffixes=("", "_retain"))
    found = stats.spearmanr(both["value"], both["value_retain"]).statistic
    assert said("RESULTS.md", f"(Spearman {found:.2f} over the {len(both)} that count)")


@pytest.mark.parametrize(
    ("page", "name", "words"),
    [
        ("RESULTS.md", "names", "took {} min {} s"),
        ("RESULTS.md", "names-matched", "It took {} min {} s from a bare clone"),
        ("PERFORMANCE.md", "names-smollm2-seeds", "took {} min {} s"),
    ],
)
def test_how_long_a_study_took(page: str, name: str, words: str) -> None:
    content = json.loads((DOCS / name / "study.json").read_text(encoding="utf-8"))
    minutes, seconds = divmod(round(content["provenance"]["wall_seconds"]), 60)
    assert said(page, words.format(minutes, seconds))


def test_tofu_once_more() -> None:
    both = {
        metric: pd.concat(
            cells("tofu-smollm2", metric, split).merge(
                cells("tofu-smollm2-again", metric, split), on=PLACE, suffixes=("", "_again")
            )
            for split in splits
        )
        for metric, splits in (
            ("keyword_hit", ("forget",)),
            ("target_nll", ("forget", "retain")),
            ("rouge_l", ("forget", "retain")),
        )
    }
    hits = both["keyword_hit"]
    moved = (hits["k"] - hits["k_again"]).abs()
    assert (moved.max(), (moved > 0).sum()) == (1, 4)
    assert said(
        "RESULTS.md",
        f"{(moved == 0).sum()} of {len(hits)} cells have the same attack success rate; the other four",
    )
    apart = (hits["weight_distance"] - hits["weight_distance_again"]).abs() / hits["weight_distance"]
    assert apart.max() < 1e-14
    likelihood = (both["target_nll"]["value_again"] / both["target_nll"]["value"] - 1).abs().max()
    rouge = (both["rouge_l"]["value_again"] - both["rouge_l"]["value"]).abs().max()
    assert said(
        "RESULTS.md",
        f"likelihoods differ by up to {100 * likelihood:.0f}%, and ROUGE-L of a cell by up to {100 * rouge:.0f} points",
    )


def test_how_far_the_weights_of_two_precisions_moved() -> None:
    moved = [
        cells(name).query("start == 'unlearned' and depth == 9 and relearn_steps == 0 and repetitions == 7")
        for name in ("names-smollm2-float32", "names-smollm2")
    ]
    here, there = (100 * rows["weight_distance"].iloc[0] for rows in moved)
    assert said("RESULTS.md", f"({here:.2f}% of their norm at depth 9, {there:.2f}% there)")


def _spread(name: str) -> tuple[float, int, float, float]:
    """Of cells between 2 and 98%: how much the seeds' logits differ, and how they correlate along curves and beside."""
    rows = cells(name).query("start == 'unlearned' and relearn_steps > 0")
    rows = rows.assign(logit=np.log((rows["k"] + 0.5) / (rows["n"] - rows["k"] + 0.5)))
    cell = ["repetitions", "depth", "corpus", "relearn_steps"]
    mean = rows.groupby(cell)["value"].mean()
    seeds = rows.pivot(index=cell, columns="seed", values="logit")[(mean > 0.02) & (mean < 0.98)]
    apart = seeds.sub(seeds.mean(axis=1), axis=0)
    alike = []
    for shared in (["repetitions", "depth", "corpus"], ["repetitions", "depth", "relearn_steps"]):
        pairs = [
            one @ other / np.sqrt((one @ one) * (other @ other))
            for _, part in apart.groupby(shared)
            for one, other in combinations(part.to_numpy(), 2)
        ]
        alike.append(float(np.mean(pairs)))
    return float(np.sqrt((seeds.std(axis=1) ** 2).mean())), len(seeds), alike[0], alike[1]


def test_how_much_seeds_differ() -> None:
    first, second = _spread("names"), _spread("names_held_out")
    assert said(
        "STATISTICS.md",
        f"the standard deviation of a rate's logit between seeds is {first[0]:.1f} and {second[0]:.1f} in the two "
        f"names studies (root mean square over the {first[1]} and {second[1]} cells between 2 and 98%)",
    )
    assert said(
        "STATISTICS.md",
        f"A seed's deviations correlate by {first[2]:.2f} and {second[2]:.2f} along a curve, and by {first[3]:.2f} and "
        f"{second[3]:.2f} between corpora",
    )


def test_what_a_study_will_tell() -> None:
    three, five, ten, few = (
        resolution(seeds, probes, 60).difference for seeds, probes in ((3, 100), (5, 100), (10, 100), (3, 20))
    )
    assert said(
        "STATISTICS.md",
        f"three seeds and 100 queries find {three:.0f} points, five find {five:.0f}, ten {ten:.0f}; 100 queries in "
        f"place of 20 buy {few - three:.0f} points at three seeds, two more seeds {three - five:.0f}",
    )


def _told_apart(name: str) -> list[tuple[str, str, int]]:
    """Pairs of corpora, and the depth, of which a paired t over the questions leaves out 0: the larger first."""
    rows = pd.read_parquet(DOCS / name / "probes.parquet").query(
        "start == 'unlearned' and relearn_steps == 20"
    )
    table = rows.pivot_table(index=["depth", "probe"], columns="corpus", values="rouge_l", observed=True)
    found = []
    for depth, part in table.groupby(level="depth"):
        for one, other in combinations(part.columns, 2):
            test = stats.ttest_rel(part[one], part[other])
            if test.pvalue < 0.05:
                first, second = (one, other) if test.statistic > 0 else (other, one)
                found.append((first, second, int(depth)))
    return sorted(found)


def test_which_texts_about_the_books_are_told_apart() -> None:
    assert _told_apart("whp-keyword-smollm2") == [("astronomy", "lorem_ipsum", 8)]
    assert _told_apart("whp-keyword-smollm2-float32") == [
        ("cars_and_movies", "hp_summary", 5),
        ("cars_and_movies", "lorem_ipsum", 8),
        ("hp_summary", "lorem_ipsum", 8),
    ]
    assert said(
        "RESULTS.md", "the summary and the cars above lorem ipsum at depth 8, the cars above the summary"
    )
    assert said("RESULTS.md", "Before it was one, astronomy above lorem ipsum at depth 8")
