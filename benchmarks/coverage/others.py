"""How often the intervals hold the truth that stand beside those of the large table: recovery, falls, effects, the law.

    python -m benchmarks.coverage.others

Each study has the 24 curves of ``benchmarks.coverage.worlds`` with seeds as different and as alike, one original that
its curves are held against, and 100 queries. Effects and the law are of its eight curves that rise, whose shifts stand
for depths. What they should find is what they give of the mean rates, that is of seeds and queries without end. And one
seed whose probes share titles. It writes two tables of docs/SIMULATIONS.md, in some minutes.
"""

import csv
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pandas as pd
import scipy
from scipy.special import expit

from analysis.measures.drivers import _effects, _jackknife, _without
from analysis.measures.falls import falls
from analysis.measures.recovery.best_step import NetCurve, best_of
from analysis.measures.trajectories import _recovery, _together
from analysis.statistics import capped_logistic, logistic
from analysis.statistics.adjustment import holm
from analysis.statistics.crossed_design import Answers
from analysis.statistics.rates import rate_interval
from analysis.statistics.wilson import Numbers
from benchmarks.coverage.tables import table
from benchmarks.coverage.worlds import ALONG, BETWEEN, CURVES, STEPS, mean_rate, middle_of, middles
from benchmarks.marked_section import replace_between

DIFFER, SEEDS, PROBES = (0.5, 1.3, 2.5, 4.4), (3, 5, 10), 100
STUDIES, BATCHES = 10, 4
TITLES, TITLE_SPREAD = ((10, 2), (5, 4), (20, 5), (10, 10)), 1.2
"""Titles with so many probes each; how much the logits of titles differ (two probes of one correlate by 0.2)."""
RISING = CURVES // 3
ORIGINAL, CONTROL = 0.9, 0.02
LOGS = np.log1p(STEPS)
SHOWN = {
    "net": "net recovery, last step",
    "recovery": "recovered of what was lost",
    "fall": "drop after the peak",
    "effect": "effect",
    "law": "coefficient of the law",
}


class _Study:
    """Scores of all curves and of the original: (curves × steps) and one, × seeds × probes; and the mean rates."""

    def __init__(self, generator: np.random.Generator, seeds: int, differ: float) -> None:
        spread = float(np.hypot(differ, 1))
        common = generator.normal(size=(1, 1, seeds)) * np.sqrt(BETWEEN)
        own = generator.normal(size=(CURVES + 1, 1, seeds)) * np.sqrt(ALONG - BETWEEN)
        rest = generator.normal(size=(CURVES + 1, len(STEPS), seeds)) * np.sqrt(1 - ALONG)
        levels = np.vstack([middles(), np.full((1, len(STEPS)), middle_of(ORIGINAL, spread))])
        chance = expit(
            (levels[..., None] + differ * (common + own + rest))[..., None] + generator.normal(size=PROBES)
        )
        every = (generator.random(chance.shape) < chance).astype(float)
        self.scores, self.original = every[:-1], every[-1, 0]
        self.truth = mean_rate(middles(), spread)
        self.names = tuple(map(str, range(PROBES)))
        self.seeds = tuple(range(seeds))
        self.curves = [Answers(each, STEPS, self.seeds, self.names) for each in self.scores]


def _net(study: _Study) -> list[bool]:
    gap = ORIGINAL - CONTROL
    curves = []
    for scores in study.scores:
        rates = scores[1:].mean(axis=2)
        alike = np.full(len(rates), 1.0)
        net = (rates - CONTROL) / gap
        curves.append(NetCurve(STEPS[1:], net, rates, CONTROL * alike, ORIGINAL * alike, PROBES))
    true = (study.truth[:, -1] - CONTROL) / gap
    return [row["low"] <= value <= row["high"] for value, row in zip(true, _records(curves), strict=True)]


def _records(curves: list[NetCurve]) -> list[dict[str, float]]:
    found = best_of(curves)
    return [
        {"low": float(low), "high": float(high)}
        for low, high in zip(found["low"], found["high"], strict=True)
    ]


def _recovered(study: _Study) -> list[bool]:
    told, true = [], []
    for scores, truth in zip(study.scores, study.truth, strict=True):
        both = Answers(np.stack([scores[0], scores[-1], study.original]), (0, 1, 2), study.seeds, study.names)
        found = _recovery(both)
        if found is not None:
            told.append(found)
            true.append((truth[-1] - truth[0]) / (ORIGINAL - truth[0]))
    if not told:
        return []
    held = []
    for estimate, value in zip(_together(list(told)), true, strict=True):
        held.append(estimate.low <= value <= estimate.high)
    return held


def _falls(study: _Study) -> list[bool]:
    every = falls(study.curves)
    adjusted, divisors = holm(np.array([each.p for each in every]))
    held = []
    for each, truth, p, by in zip(every, study.truth, adjusted, divisors, strict=True):
        found = each.measures(p, by)
        if found["drop"]:
            peak = int(each.points.argmax())
            held.append(
                float(str(found["drop_low"])) <= truth[peak] - truth[-1] <= float(str(found["drop_high"]))
            )
    return held


def _design() -> tuple[pd.DataFrame, Numbers]:
    """Cells of the rising curves above step 0, curves × steps: terms of the effects, and those of the law."""
    depth = np.repeat(-np.linspace(-1, 1, RISING), len(STEPS) - 1)
    steps = np.tile(LOGS[1:], RISING)
    terms = pd.DataFrame({"log_depth": depth, "log_relearn_steps": steps})
    return terms, np.column_stack([np.ones(len(steps)), steps, -depth])


def _effect(study: _Study) -> list[bool]:
    terms, _ = _design()
    n = np.full(len(terms), float(PROBES))
    expected = study.truth[:RISING, 1:].ravel()
    truth = _effects(terms, logistic.fit(terms.to_numpy(float), PROBES * expected, n))
    seeds = len(study.seeds)
    answered = study.scores[:RISING, 1:].sum(axis=3).reshape(-1, seeds)
    rows = pd.concat([terms] * seeds, ignore_index=True)
    yes, asked = answered.T.ravel(), np.tile(n, seeds)
    group = np.repeat(np.arange(seeds), len(terms))
    whole = logistic.fit(rows.to_numpy(float), yes, asked)
    effects = _effects(rows, whole)
    again = np.array([_without(rows, yes, asked, group != seed, whole) for seed in range(seeds)])
    error, _ = _jackknife(effects, again)
    half = scipy.stats.t.isf(0.025, seeds - 1) * error
    return [bool(each) for each in np.abs(effects - truth) <= half]


def _law(study: _Study) -> list[bool]:
    _, terms = _design()
    cap, n = np.ones(len(terms)), np.full(len(terms), float(PROBES))
    truth = capped_logistic.fit(terms, cap, PROBES * study.truth[:RISING, 1:].ravel(), n)
    answered = study.scores[:RISING, 1:].sum(axis=3).reshape(len(terms), -1)
    seeds = answered.shape[1]
    whole = capped_logistic.fit(terms, cap, answered.mean(axis=1), n)
    again = np.array(
        [
            capped_logistic.fit(terms, cap, np.delete(answered, seed, axis=1).mean(axis=1), n)
            for seed in range(seeds)
        ]
    )
    error = np.sqrt((seeds - 1) / seeds * ((again - whole) ** 2).sum(axis=0))
    half = scipy.stats.t.isf(0.025, seeds - 1) * error
    return [bool(each) for each in np.abs(whole - truth) <= half]


def _titles() -> str:
    """One seed, probes in titles: how often the interval holds the rate over all titles, and its width."""
    generator = np.random.default_rng(23)
    lines = []
    for titles, each in TITLES:
        row = [f"{titles} titles of {each}"]
        for rate in (0.1, 0.5):
            middle = middle_of(rate, TITLE_SPREAD)
            chance = expit(middle + TITLE_SPREAD * generator.normal(size=(2000, titles)))
            counts = generator.binomial(each, chance).sum(axis=1)
            ends = {
                yes: rate_interval([float(yes)], [float(titles * each)], alike=float(each))
                for yes in set(counts.tolist())
            }
            low, high = np.array([ends[yes] for yes in counts.tolist()]).T
            held = 100 * ((low <= rate) & (rate <= high)).mean()
            row.append(f"{held:.1f} ({100 * (high - low).mean():.0f})")
        lines.append(row)
    return table(["one seed", "rate 10%", "rate 50%"], lines)


KINDS = {"net": _net, "recovery": _recovered, "fall": _falls, "effect": _effect, "law": _law}


def _size(differ: float, seeds: int) -> dict[str, str]:
    """One line: of each interval how often it holds, in percent, with its error."""
    held: dict[str, list[float]] = {name: [] for name in KINDS}
    for number in range(BATCHES):
        generator = np.random.default_rng([seeds, PROBES, round(10 * differ), number, 23])
        studies = [_Study(generator, seeds, differ) for _ in range(STUDIES)]
        for name, of in KINDS.items():
            held[name].append(100 * float(np.mean([each for study in studies for each in of(study)])))
    return {name: f"{fmean(each):.1f} ± {stdev(each) / len(each) ** 0.5:.1f}" for name, each in held.items()}


def main() -> None:
    """Writes both tables; a line that is on file is not computed again."""
    docs = Path(__file__).parents[2] / "docs"
    path = docs / "performance" / "others.csv"
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    for differ in DIFFER:
        for seeds in SEEDS:
            if any((row["differ"], row["seeds"]) == (str(differ), str(seeds)) for row in rows):
                continue
            rows.append({"differ": str(differ), "seeds": str(seeds), **_size(differ, seeds)})
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)
            print(*rows[-1].values(), flush=True)
    document = docs / "SIMULATIONS.md"
    replace_between(document, "titles", _titles())
    head = ["seeds differ", "seeds", *SHOWN.values()]
    replace_between(document, "others", table(head, [list(row.values()) for row in rows]))


if __name__ == "__main__":
    main()
