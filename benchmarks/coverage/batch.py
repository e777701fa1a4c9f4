"""One batch: studies of one size, each measured with the product's own functions and held against the truth."""

import numpy as np

from analysis.measures.comparisons import differences
from analysis.measures.contour import crossing
from analysis.measures.falls import falls
from analysis.measures.recovery.best_step import NetCurve, best_of
from analysis.measures.trajectories import measures
from analysis.statistics.adjustment import holm
from analysis.statistics.crossed_design import Answers
from analysis.statistics.moderated import contrast, together
from analysis.statistics.wilson import Numbers
from benchmarks.coverage.before import Spread, falling
from benchmarks.coverage.worlds import CURVES, FLAT, STEPS, World, mean_rate, middles, pair, simulated

INTERVALS = (
    *("rate", "rate_asked", "peak", "area", "best_step", "difference", "together", "crossing"),
    *("rate_before", "difference_before"),
)
"""Of each: in how many percent the truth is held, and the mean width (of ``crossing``: how many have an upper end)."""
ERRORS = (
    *("false_difference", "found_difference", "found_difference_before"),
    *("false_fall", "false_fall_before", "found_fall", "found_fall_before"),
)
COLUMNS = tuple(f"{name}_{what}" for name in INTERVALS for what in ("covers", "width")) + ERRORS
LOGS = np.log1p(STEPS)
ORIGINAL, CONTROL = 0.95, 0.02
POINTS = 0.2
HALF = CURVES // 3
PAIRS = [(one, one + HALF) for one in range(HALF)] + [(one, one + 1) for one in range(2 * HALF - 1)]
"""Differences between curves of one shape (the true difference is that of their shifts) and of two."""


class _Tally:
    def __init__(self) -> None:
        self.noted: dict[str, list[float]] = {name: [] for name in COLUMNS}

    def interval(self, name: str, low: float, high: float, truth: float) -> None:
        self.noted[f"{name}_covers"].append(low <= truth <= high)
        self.noted[f"{name}_width"].append(high - low)

    def means(self) -> dict[str, float]:
        return {name: float(np.mean(values)) for name, values in self.noted.items()}


def batch(seeds: int, probes: int, differ: float, number: int, studies: int) -> dict[str, float]:
    """The means of ``COLUMNS`` over some studies; ``number`` decides which."""
    generator = np.random.default_rng([seeds, probes, int(10 * differ), number])
    truth = mean_rate(middles(), float(np.hypot(differ, 1)))
    tally = _Tally()
    for _ in range(studies):
        world = simulated(generator, seeds, probes, differ)
        _curves(tally, world, truth)
        _best(tally, world, truth)
        _differences(tally, world, truth)
        _tests(tally, world, [pair(generator, seeds, probes, differ) for _ in PAIRS])
        apart = [pair(generator, seeds, probes, differ, POINTS) for _ in PAIRS]
        tally.noted["found_difference"] += list(differences(apart)["p"] < 0.05)
        ends = [Spread(each.scores, np.array([[1.0, -1.0]])).of_difference() for each in apart]
        tally.noted["found_difference_before"] += [bool(low[0] > 0 or high[0] < 0) for low, high in ends]
    return tally.means()


def _curves(tally: _Tally, world: World, truth: Numbers) -> None:
    areas = np.trapezoid(truth, LOGS, axis=1) / (LOGS[-1] - LOGS[0])
    for at, curve in enumerate(world.curves):
        found = measures(curve)
        ends = {name: (found[f"{name}_low"], found[f"{name}_high"]) for name in ("final", "peak", "area")}
        tally.interval("rate", *ends["final"], truth[at, -1])
        tally.interval("rate_asked", *ends["final"], world.of_probes[at])
        tally.interval("peak", *ends["peak"], truth[at, STEPS.index(found["peak_step"])])
        tally.interval("area", *ends["area"], areas[at])
        low, high = Spread(curve.scores[-1:], np.ones((1, 1))).of_rate()
        tally.interval("rate_before", low[0], high[0], truth[at, -1])
        place = {
            name: float(str(value)) for name, value in crossing(curve).items() if name in ("low", "high")
        }
        tally.noted["crossing_covers"].append(place["low"] <= _crossing(truth[at]) <= place["high"])
        tally.noted["crossing_width"].append(bool(np.isfinite(place["high"])))


def _crossing(rates: Numbers) -> float:
    above = np.flatnonzero(rates >= 0.5)
    if not len(above):
        return float("inf")
    at = int(above[0])
    share = 0.0 if at == 0 else (0.5 - rates[at - 1]) / (rates[at] - rates[at - 1])
    return float(np.expm1(LOGS[at - 1] + share * (LOGS[at] - LOGS[at - 1]))) if at else 0.0


def _best(tally: _Tally, world: World, truth: Numbers) -> None:
    """Net recovery at the step that was chosen as the best, of an original and a control that are the same in all."""
    gap = ORIGINAL - CONTROL
    curves = []
    for curve in world.curves:
        rates = curve.scores[1:].mean(axis=2)
        alike = np.full(len(rates), 1.0)
        curves.append(
            NetCurve(
                STEPS[1:],
                (rates - CONTROL) / gap,
                rates,
                CONTROL * alike,
                ORIGINAL * alike,
                len(curve.probes),
            )
        )
    for at, row in enumerate(best_of(curves).to_dict("records")):
        true = (truth[at, STEPS.index(row["best_step"])] - CONTROL) / gap
        tally.interval("best_step", row["best_low"], row["best_high"], true)


def _differences(tally: _Tally, world: World, truth: Numbers) -> None:
    both = [np.stack([world.curves[each].scores[-1] for each in places]) for places in PAIRS]
    table = together([contrast(scores, [1.0, -1.0]) for scores in both])
    for (one, other), scores, row in zip(PAIRS, both, table.to_dict("records"), strict=True):
        real = truth[one, -1] - truth[other, -1]
        tally.interval("difference", row["low"], row["high"], real)
        tally.interval("together", row["low_adjusted"], row["high_adjusted"], real)
        low, high = Spread(scores, np.array([[1.0, -1.0]])).of_difference()
        tally.interval("difference_before", low[0], high[0], real)


def _tests(tally: _Tally, world: World, same: list[Answers]) -> None:
    """The errors of whole tables, and the falls that are found."""
    adjusted = differences(same)["p_adjusted"]
    tally.noted["false_difference"].append(bool((adjusted < 0.05).any()))
    now, _ = holm(np.array([each.p for each in falls(world.curves)]))
    for name, p in (("fall", now), ("fall_before", falling(world.curves))):
        tally.noted[f"false_{name}"].append(bool((p[FLAT] < 0.05).any()))
        tally.noted[f"found_{name}"] += list(p[~FLAT] < 0.05)
