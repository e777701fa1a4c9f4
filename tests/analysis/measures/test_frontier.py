"""The frontier: crossings that can be computed by hand, a known truth, and the edges."""

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.measures.contour import frontier
from analysis.reading.study_frames import Study
from study.errors import SpecError
from study.results.headline import HEADLINES

FIXED = {"corpus": "prefix", "repetitions": 7, "start": "unlearned"}


def rising(rates: dict[int, dict[int, float]]):
    """Depth → relearn steps → rate, the same in every seed."""
    return lambda depth, relearn_steps, start, **_: rates.get(depth, {}).get(relearn_steps) if depth else 0.0


def test_a_crossing_is_interpolated_on_log_steps(study_folder) -> None:
    study = analysis.load(
        study_folder(rising({6: {0: 0.0, 10: 0.3, 40: 0.8}, 8: {0: 0.0, 10: 0.1, 40: 0.2}}), repetitions=(7,))
    )
    first, second = frontier(study, **FIXED).to_dict("records")
    by_hand = np.expm1(np.interp(0.5, [0.0, 0.3, 0.8], np.log1p([0, 10, 40])))
    assert first["crossing"] == pytest.approx(by_hand)
    assert first["low"] < first["crossing"] < first["high"] <= 40
    assert (first["censored"], first["always"], first["over"]) == (False, False, "seeds and probes")
    assert second["crossing"] == np.inf
    assert second["censored"]
    assert np.isinf(second["high"])


def test_along_depth_the_rate_falls(study_folder) -> None:
    study = analysis.load(
        study_folder(
            lambda depth, **_: 1 - depth / 10, depths=(2, 4, 8), repetitions=(7,), corpora=("prefix",)
        )
    )
    table = frontier(study, rows="depth", columns="relearn_steps", start="unlearned")
    by_hand = np.expm1(np.interp(-0.5, [-0.8, -0.6, -0.2], np.log1p([2, 4, 8])))
    assert table["crossing"].tolist() == pytest.approx([by_hand] * 3)
    assert (table["low"] < by_hand).all()
    assert (table["high"] > by_hand).all()


def test_where_it_is_there_from_the_start(study_folder) -> None:
    study = analysis.load(
        study_folder(rising({6: {0: 0.9, 10: 0.9, 40: 0.9}}), depths=(6,), repetitions=(7,))
    )
    (row,) = frontier(study, **FIXED).to_dict("records")
    assert row["always"]
    assert row["crossing"] == 0


def test_a_step_back_that_is_real_is_not_smoothed_away(study_folder) -> None:
    study = analysis.load(
        study_folder(rising({6: {0: 0.0, 10: 0.9, 40: 0.2}}), depths=(6,), repetitions=(7,))
    )
    (row,) = frontier(study, **FIXED).to_dict("records")
    assert row["crossing"] == pytest.approx(np.expm1(np.interp(0.5, [0.0, 0.9], np.log1p([0, 10]))))


def test_a_curve_that_starts_above_the_level_is_reached_from_the_start(study_folder) -> None:
    study = analysis.load(
        study_folder(rising({6: {0: 0.55, 10: 0.2, 40: 0.05}}), depths=(6,), repetitions=(7,))
    )
    (row,) = frontier(study, **FIXED).to_dict("records")
    assert (row["crossing"], row["always"], row["censored"]) == (0, True, False)


def test_cells_alone_have_a_band_over_seeds(study_folder) -> None:
    study = analysis.load(
        study_folder(lambda relearn_steps, seed, **_: relearn_steps / 50 + seed / 100, repetitions=(7,))
    )
    alone = frontier(study.cells, metric="keyword_anywhere", **FIXED)
    assert set(alone["over"]) == {"seeds"}
    assert alone["crossing"].tolist() == pytest.approx(frontier(study, **FIXED)["crossing"].tolist())
    with pytest.raises(SpecError, match="these cells have keyword_anywhere, target_nll"):
        frontier(study.cells, **FIXED)


def test_one_seed_says_so(study_folder) -> None:
    study = analysis.load(
        study_folder(lambda relearn_steps, **_: relearn_steps / 50, seeds=(0,), repetitions=(7,))
    )
    table = frontier(study, **FIXED)
    assert set(table["over"]) == {"probes"}
    assert set(table["seeds"]) == {1}


def test_two_studies_with_different_spaces(study_folder, tmp_path) -> None:
    first = study_folder(lambda relearn_steps, **_: relearn_steps / 50, repetitions=(7,)).rename(
        tmp_path / "a"
    )
    second = study_folder(lambda **_: 0.1, depths=(12,), repetitions=(7,)).rename(tmp_path / "b")
    table = frontier(analysis.load(first, second), **FIXED)
    assert list(zip(table["study"], table["depth"], table["censored"], strict=True)) == [
        ("a", 6, False),
        ("a", 8, False),
        ("b", 12, True),
    ]


@pytest.mark.parametrize(
    ("rate", "make", "asked", "words"),
    [
        (lambda **_: None, {}, FIXED, "a frontier needs two places along relearn_steps"),
        (lambda **_: 0.5, {"steps": (40,)}, FIXED, "a frontier needs two places along relearn_steps"),
        (lambda **_: 0.5, {}, {"repetitions": 7, "start": "unlearned"}, "would mix corpus prefix, retain"),
        (lambda **_: 0.5, {}, {**FIXED, "metric": "rouge_l"}, "a frontier needs two places"),
        (lambda **_: 0.5, {}, {**FIXED, "metric": "nothing"}, "metric=nothing: probes are scored by"),
        (lambda **_: 0.5, {}, {"rows": "step"}, "step is no coordinate"),
        (lambda **_: 0.5, {}, {"columns": "relearn_steps"}, "expected two axes"),
    ],
)
def test_what_has_no_frontier_is_said(study_folder, rate, make, asked, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        frontier(analysis.load(study_folder(rate, **make)), **asked)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_all_or_nothing_has_a_band_and_no_nan(study_folder, rate: float) -> None:
    table = frontier(analysis.load(study_folder(lambda **_: rate, repetitions=(7,))), **FIXED)
    assert table[["crossing", "low", "high"]].notna().all(axis=None)
    assert table["censored"].tolist() == [rate == 0.0] * 2
    assert table["always"].tolist() == [rate == 1.0] * 2


@pytest.mark.further
def test_the_band_covers_the_true_crossing() -> None:
    """150 simulated curves of 3 seeds and 60 probes; the truth crosses the level at step 10."""
    generator = np.random.default_rng(11)
    steps = np.array([0, 5, 10, 20, 40])
    covered = 0
    for _ in range(150):
        logits = 2 * (np.log1p(steps) - np.log1p(10))[:, None, None]
        logits = logits + generator.normal(size=(1, 3, 1)) + generator.normal(size=(1, 1, 60))
        scores = generator.random(logits.shape) < 1 / (1 + np.exp(-logits))
        at = pd.MultiIndex.from_product(
            [steps, range(3), range(60)], names=["relearn_steps", "seed", "probe"]
        )
        rows = pd.DataFrame({"keyword_hit": scores.ravel().astype(float)}, index=at).reset_index()
        (row,) = frontier(Simulated(rows)).to_dict("records")
        covered += row["low"] <= 10 <= row["high"]
    assert 132 <= covered <= 150


class Simulated(Study):
    """A study that lies in no folder: as much of it as the frontier reads."""

    headline = HEADLINES["tofu"][0]

    def __init__(self, rows: pd.DataFrame) -> None:
        place = {"scenario": "s", "model": "m", "method": "ga", "start": "unlearned", "repetitions": 1}
        vars(self).update(name="simulated", cells=rows.assign(**place, depth=8, corpus="prefix"))

    def scores(self, *_: object, **__: object) -> pd.DataFrame:
        return self.cells
