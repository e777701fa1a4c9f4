"""The best step's interval allows for its being the best; net recovery over seeds, against oracles."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import analysis
from analysis.measures.recovery.best_step import NetCurve, best_of, best_steps
from analysis.statistics.moderated import Contrast, together
from analysis.statistics.rates import rate_interval
from tests.analysis.invented import HEIGHT, Invented


def curve(net: np.ndarray, queries: float = 1000.0) -> NetCurve:
    """Of a control at 0 and an original at 1, so that net recovery is the score."""
    steps = list(range(1, len(net) + 1))
    nothing = np.zeros(len(net))
    return NetCurve(steps, net, net, nothing, nothing + 1, queries)


def test_one_step_is_the_wider_of_students_t_and_the_interval_of_the_rate() -> None:
    seeds = np.array([[0.4, 0.5, 0.7]])
    (row,) = best_of([curve(seeds)]).to_dict("records")
    ends = stats.ttest_1samp(seeds[0], 0).confidence_interval()
    of_rate = rate_interval([400, 500, 700], [1000] * 3)
    assert (row["low"], row["high"]) == pytest.approx((min(ends.low, of_rate[0]), max(ends.high, of_rate[1])))
    assert (row["best_low"], row["best_high"]) == pytest.approx((row["low"], row["high"]))


def test_one_seed_has_no_interval() -> None:
    (row,) = best_of([curve(np.array([[0.4], [0.7]]))]).to_dict("records")
    assert (row["net"], row["best_net"], row["best_step"]) == (0.7, 0.7, 2)
    assert np.isnan([row[name] for name in ("low", "high", "best_low", "best_high")]).all()


@pytest.mark.further
def test_the_interval_holds_the_truth_of_the_step_that_was_chosen() -> None:
    """Ten steps at 50%: alone, the largest mean is far too high; the interval of all steps at once allows for it."""
    generator = np.random.default_rng(5)
    alone, at_once = [], []
    for _ in range(300):
        table = best_of([curve(generator.normal(0.5, 0.1, size=(10, 4))) for _ in range(3)])
        best = table.iloc[0]
        alone.append(best["best_net"] - 0.5)
        at_once.append(best["best_low"] <= 0.5 <= best["best_high"])
    assert np.mean(alone) > 0.05, "as it is too high by chance"
    assert np.mean(at_once) >= 0.94


def test_a_chosen_row_of_a_table_is_tested_as_one_of_many() -> None:
    generator = np.random.default_rng(6)
    rows = [Contrast(generator.normal(0.1, 0.2, 5)) for _ in range(4)]
    plain, chosen = together(rows), together(rows, [1, 5, 1, 1])
    assert chosen["p"][1] == chosen["p_adjusted"][1] == pytest.approx(min(1, 5 * plain["p"][1])), (
        "one of its kind"
    )
    assert chosen["p"].drop(1).tolist() == pytest.approx(plain["p"].drop(1).tolist())
    assert chosen["high"][1] - chosen["low"][1] > plain["high"][1] - plain["low"][1]
    for row in chosen.to_dict("records"):
        excludes = row["low_adjusted"] > 0 or row["high_adjusted"] < 0
        assert excludes == (row["p_adjusted"] < 0.05)


def test_each_relearning_has_its_own_last_step_and_its_own_best(tmp_path: Path) -> None:
    made = Invented(
        steps=(0, 5, 20, 40),
        without=lambda place: place["corpus"] == "prefix" and place["relearn_steps"] > 20,
        unlearned=lambda place: (
            HEIGHT[place["corpus"]] * (2 if place["relearn_steps"] == 5 else 1) / 2
            + 0.05 * place["seed"] * (place["relearn_steps"] > 0)
        ),
    )
    found = best_steps(analysis.net_recovery(analysis.load(made.write(tmp_path / "study"))))
    found = found.set_index(["corpus", "depth"])
    assert found["last_step"].to_dict() == {
        (corpus, depth): 20 if corpus == "prefix" else 40 for corpus in HEIGHT for depth in (8, 12)
    }
    assert found.loc[("prefix", 8), "best_step"] == 5
    assert found.loc[("prefix", 8), "best_net"] == pytest.approx((0.75 + 0.05) / 0.9, abs=0.02)


def test_a_seed_without_net_recovery_at_some_step_is_left_out(tmp_path: Path) -> None:
    made = Invented(
        never_learned=lambda place: (
            0.95
            if place["seed"] == 1 and place["relearn_steps"] == 5 and place["corpus"] == "prefix"
            else 0.0
        )
    )
    found = best_steps(analysis.net_recovery(analysis.load(made.write(tmp_path / "study"))))
    assert found.set_index("corpus")["seeds"].to_dict() == {"prefix": 2, "retain": 3, "gibberish": 3}
