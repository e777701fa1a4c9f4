"""Paired comparisons and trajectory measures, against oracles and known truths."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.measures.comparisons import compare, compare_at_last
from analysis.measures.trajectories import THRESHOLD, trajectories
from analysis.reading.study_frames import Study
from analysis.statistics.crossed_design import Answers, answers
from study.errors import SpecError

PLACE = {
    "scenario": "tofu",
    "model": "m",
    "method": "npo",
    "start": "unlearned",
    "repetitions": 1,
    "depth": 8,
    "corpus": "same_author",
    "seed": 0,
    "split": "forget",
}


def frame(
    scores: np.ndarray, axis: str, values: list, seeds: list[int] | None = None, **place: object
) -> pd.DataFrame:
    """Settings × seeds × probes as rows of probes."""
    rows = []
    for value, by_seed in zip(values, scores, strict=True):
        for seed, of_probes in zip(seeds or range(len(by_seed)), by_seed, strict=True):
            for probe, score in enumerate(of_probes):
                where = {**PLACE, "relearn_steps": 0, **place, axis: value, "seed": seed}
                rows.append({**where, "probe": f"p{probe:03d}", "keyword_hit": score})
    return pd.DataFrame(rows)


def as_answers(scores: np.ndarray) -> Answers:
    settings, seeds, probes = scores.shape
    return Answers(scores, tuple(range(settings)), tuple(range(seeds)), tuple(map(str, range(probes))))


def test_a_difference_is_the_t_test_of_the_seeds_where_no_other_row_tells_more() -> None:
    scores = (np.random.default_rng(1).random((2, 4, 200)) < np.array([0.7, 0.3])[:, None, None]).astype(
        float
    )
    rows = frame(scores, "corpus", ["same_author", "gibberish"])
    table = compare(rows, "corpus", "keyword_hit", pairs=[("gibberish", "same_author")])
    (row,) = table.to_dict("records")
    by_seed = (scores[1] - scores[0]).mean(axis=1)
    assert row["difference"] == pytest.approx(by_seed.mean())
    assert row["p"] >= stats.ttest_1samp(by_seed, 0).pvalue, "what the choice of probes adds makes it wider"
    assert row["low"] < row["high"] < 0
    assert row["detectable"] > 0


def test_p_values_are_adjusted_over_the_table() -> None:
    generator = np.random.default_rng(3)
    scores = (generator.random((3, 2, 30)) < np.array([0.2, 0.5, 0.8])[:, None, None]).astype(float)
    rows = frame(scores, "corpus", ["a", "b", "c"])
    table = compare(rows, "corpus", "keyword_hit")
    assert len(table) == 3
    order = np.sort(table["p"].to_numpy())
    by_hand = np.maximum.accumulate(np.minimum(order * np.array([3, 2, 1]), 1))
    assert np.sort(table["p_adjusted"].to_numpy()) == pytest.approx(by_hand)


def test_a_cell_that_is_not_there_is_no_comparison() -> None:
    rows = frame(np.ones((1, 1, 5)), "corpus", ["a"])
    with pytest.raises(SpecError, match="nothing to compare"):
        compare(rows, "corpus", "keyword_hit")
    unscored = frame(np.full((2, 1, 5), np.nan), "corpus", ["a", "b"])
    with pytest.raises(SpecError, match="nothing to compare"):
        compare(unscored, "corpus", "keyword_hit")


def test_what_would_be_mixed_is_refused() -> None:
    rows = pd.concat([frame(np.ones((2, 1, 5)), "relearn_steps", [0, 5], depth=depth) for depth in (4, 8)])
    with pytest.raises(SpecError, match="would mix depth"):
        answers(rows, "keyword_hit")
    with pytest.raises(SpecError, match="no such column"):
        answers(rows, "rouge", depth=4)


class Made(Study):
    """A study that lies in no folder: as much of it as the measures read."""

    def __init__(self, probes: pd.DataFrame) -> None:
        vars(self).update(name="made", made=probes)

    def scores(self, metric: str, split: str = "forget", **_: object) -> pd.DataFrame:
        rows = vars(self)["made"]
        return rows[(rows["split"] == split) & rows[metric].notna()]


def made(rates: dict[int, float], probes: int = 40, seeds: int = 2) -> pd.DataFrame:
    """A trajectory in which the first of so many probes are answered at each step; all seeds alike."""
    scores = np.array(
        [[[float(p < round(rate * probes)) for p in range(probes)]] * seeds for rate in rates.values()]
    )
    return frame(scores, "relearn_steps", list(rates))


def relearned(seeds: int) -> dict[str, Any]:
    """Measures of one trajectory beside its original and its control."""
    along = made({0: 0.1, 5: 0.6, 10: 0.8, 40: 0.5}, seeds=seeds)
    original = made({0: 0.9}, seeds=seeds).assign(start="original", corpus="none", method="none", depth=0)
    control = made({40: 0.1}, seeds=seeds).assign(start="never_learned", method="none", depth=0)
    table = trajectories(Made(pd.concat([along, original, control])), "keyword_hit")
    (row,) = table[table["start"] == "unlearned"].to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_measures_of_a_trajectory_by_hand() -> None:
    row = relearned(seeds=2)
    assert (row["first"], row["final"], row["peak"], row["peak_step"]) == pytest.approx((0.1, 0.5, 0.8, 10))
    assert row["drop"] == pytest.approx(0.3)
    assert not row["drop_real"], "two seeds have one degree of freedom, however alike they are"
    assert row["drop_p_adjusted"] == row["drop_p"], (
        "there is one trajectory whose scores are not all the same"
    )
    logs = np.log1p([0, 5, 10, 40])
    by_hand = np.trapezoid([0.1, 0.6, 0.8, 0.5], logs) / (logs[-1] - logs[0])
    assert row["area"] == pytest.approx(by_hand)
    assert (row["steps_to"], row["censored"]) == (5, False)
    assert np.isnan(row["recovery"]), (
        "with two seeds the original's interval does not lie above the first step's"
    )
    assert row["lift"] == pytest.approx(0.4)
    assert np.isnan(row["utility"]), "no retain probe was asked"
    for name in ("first", "final", "peak", "area", "lift"):
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]


def test_a_share_of_what_was_lost_by_hand() -> None:
    row = relearned(seeds=6)
    assert row["recovery"] == pytest.approx((0.5 - 0.1) / (0.9 - 0.1))
    assert row["recovery_low"] <= row["recovery"] <= row["recovery_high"]


def test_a_threshold_that_is_never_reached_is_censored() -> None:
    table = trajectories(Made(made({0: 0.0, 10: THRESHOLD / 5})), "keyword_hit")
    (row,) = table.to_dict("records")
    assert row["censored"]
    assert row["steps_to"] == np.inf
    assert np.isnan(row["recovery"]), "there is no original model"


def test_a_fall_that_six_seeds_share_is_shown_and_one_of_noise_is_not() -> None:
    generator = np.random.default_rng(8)
    logits = generator.normal(0, 0.3, size=(1, 6, 1)) + np.array([-3.0, 1.5, 1.4, -1.5])[:, None, None]
    falling = (generator.random((4, 6, 50)) < 1 / (1 + np.exp(-logits))).astype(float)
    flat = (generator.random((4, 6, 50)) < 0.5).astype(float)
    rows = [
        frame(falling, "relearn_steps", [0, 5, 10, 40]),
        frame(flat, "relearn_steps", [0, 5, 10, 40], corpus="x"),
    ]
    table = trajectories(Made(pd.concat(rows)), "keyword_hit").set_index("corpus")
    assert table["drop_real"].to_dict() == {"same_author": True, "x": False}
    assert 0 < table.loc["same_author", "drop_low"] < table.loc["same_author", "drop"]
    assert table.loc["x", "drop_low"] < 0 < table.loc["x", "drop_detectable"]


def test_a_recovery_of_what_was_hardly_lost_is_no_number() -> None:
    parts = [
        made({0: 0.1, 40: 0.5}),
        made({0: 0.15}).assign(start="original", corpus="none", method="none", depth=0),
    ]
    row = trajectories(Made(pd.concat(parts)), "keyword_hit").iloc[0]
    assert np.isnan(row["recovery"])


def test_values_with_fewer_steps_are_compared_at_the_last_that_both_have() -> None:
    """One corpus was run to 20 steps and the others to 40: no pair of it vanishes."""
    generator = np.random.default_rng(3)
    rows = []
    for corpus, steps in (("short", (0, 10, 20)), ("long", (0, 10, 20, 40)), ("other", (0, 10, 20, 40))):
        scores = (generator.random((len(steps), 3, 30)) < 0.5).astype(float)
        rows.append(frame(scores, "relearn_steps", list(steps), corpus=corpus))
    probes = pd.concat(rows)
    found = compare_at_last(probes, "corpus", "keyword_hit").set_index(["one", "other"])
    assert found["relearn_steps"].to_dict() == {
        ("long", "other"): 40,
        ("long", "short"): 20,
        ("other", "short"): 20,
    }
    at_twenty = compare(probes, "corpus", "keyword_hit", pairs=[("long", "short")], relearn_steps=20).iloc[0]
    assert found.loc[("long", "short"), "difference"] == at_twenty["difference"]
