"""How often the intervals hold the truth and the tests err: simulated studies in which the truth is known.

    python -m benchmarks.coverage [STUDIES]

Each line of docs/performance/coverage.csv is one size of study: STUDIES (60) studies of 24 relearnings × 5 steps, one
thread. A line that is there is not computed again, so a run that was stopped goes on. At the end the tables of
docs/STATISTICS.md are printed.

An answer is yes with a probability whose logit is a middle, plus the seed's deviation, plus the probe's (normal, spread
1, shared by all seeds). A seed's deviations have the spread ``seeds differ`` and correlate as in the studies on record:
0.65 along a curve, 0.45 between curves. A third of the curves rise from near 0, a third rise and stay, a third fall by
half or more after step 5. The truth is the rate over all seeds and probes.
"""

import csv
import os
import sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: many small products are slower on several threads

import numpy as np
from scipy.special import expit

from analysis.measures.comparisons import differences
from analysis.measures.contour import _crossing
from analysis.measures.falls import falls
from analysis.measures.trajectories import _measures
from analysis.statistics.adjustment import holm
from analysis.statistics.crossed_design import Answers
from analysis.statistics.moderated import contrast, together

FILE = Path(__file__).parents[1] / "docs" / "performance" / "coverage.csv"
STEPS = (0, 5, 10, 20, 40)
CURVES = 24
BETWEEN, ALONG = 0.45, 0.65
SIZES = [(s, p, d) for d in (0.5, 1.3, 2.5, 4.4) for s in (2, 3, 5, 10) for p in (20, 100)]
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
MEASURES = ("final", "peak", "area", "difference", "together", "crossing")
COLUMNS = (
    *("seeds", "probes", "seeds_differ", "studies"),
    *(f"{name}_{what}" for name in MEASURES for what in ("covers", "width")),
    *("false_difference", "power_difference", "family_fall", "power_fall"),
)


def mean_rate(logits: np.ndarray, spread: float) -> np.ndarray:
    """The mean over seeds and probes of a rate whose logit is normal."""
    return np.asarray(expit(logits[..., None] + spread * NODES) @ WEIGHTS)


def middles() -> np.ndarray:
    """Curves × steps: the logits in the middle of the seeds."""
    rising = np.array([-4.0, -2.0, -1.0, 0.0, 0.5])
    staying = np.array([-4.0, 0.5, 0.5, 0.5, 0.5])
    falling = np.array([-4.0, 1.5, 1.0, -1.0, -2.5])
    shift = np.linspace(-1, 1, CURVES // 3)[:, None]
    return np.concatenate([rising + shift, staying + shift, falling + shift])


def simulated(generator: np.random.Generator, seeds: int, probes: int, differ: float) -> list[Answers]:
    """One study: its curves, each of steps × seeds × probes."""
    common = generator.normal(size=(1, 1, seeds)) * np.sqrt(BETWEEN)
    own = generator.normal(size=(CURVES, 1, seeds)) * np.sqrt(ALONG - BETWEEN)
    rest = generator.normal(size=(CURVES, len(STEPS), seeds)) * np.sqrt(1 - ALONG)
    logits = middles()[..., None] + differ * (common + own + rest)
    chance = expit(logits[..., None] + generator.normal(size=probes))
    scores = (generator.random(chance.shape) < chance).astype(float)
    names = tuple(map(str, range(probes)))
    return [Answers(each, STEPS, tuple(range(seeds)), names) for each in scores]


def line(seeds: int, probes: int, differ: float, studies: int) -> dict[str, float]:
    """One size of study."""
    generator = np.random.default_rng([seeds, probes, int(10 * differ)])
    truth = mean_rate(middles(), float(np.hypot(differ, 1)))
    logs = np.log1p(STEPS)
    areas = np.trapezoid(truth, logs, axis=1) / (logs[-1] - logs[0])
    flat = np.arange(CURVES) < 2 * CURVES // 3
    half = CURVES // 3
    held: dict[str, list[bool]] = {name: [] for name in MEASURES}
    widths: dict[str, list[float]] = {name: [] for name in MEASURES}
    wrong, right, family, found = [], [], [], []

    def note(name: str, low: float, high: float, value: float) -> None:
        held[name].append(bool(low <= value <= high))
        widths[name].append(high - low)

    for _ in range(studies):
        curves = simulated(generator, seeds, probes, differ)
        for at, answers in enumerate(curves):
            measures = _measures(answers, 0.5)
            at_peak = STEPS.index(measures["peak_step"])
            note("final", measures["final_low"], measures["final_high"], truth[at, -1])
            note("peak", measures["peak_low"], measures["peak_high"], truth[at, at_peak])
            note("area", measures["area_low"], measures["area_high"], areas[at])
            crossing = _crossing(answers, "relearn_steps", 0.5, None)
            true = _true_crossing(truth[at], logs)
            held["crossing"].append(bool(crossing["low"] <= true <= crossing["high"]))  # type: ignore[operator]
            widths["crossing"].append(float(np.isfinite(crossing["high"])))  # type: ignore[call-overload]
        # Differences between curves of one shape (the true difference is that of their shifts) and of two.
        pairs = [(one, one + half) for one in range(half)] + [(one, one + 1) for one in range(2 * half - 1)]
        of_pairs = [
            Answers(
                np.stack([curves[one].scores[-1], curves[other].scores[-1]]),
                (0, 1),
                curves[0].seeds,
                curves[0].probes,
            )
            for one, other in pairs
        ]
        table = together([contrast(each.scores, [1.0, -1.0]) for each in of_pairs])
        for (one, other), row in zip(pairs, table.to_dict("records"), strict=True):
            real = truth[one, -1] - truth[other, -1]
            note("difference", row["low"], row["high"], real)
            note("together", row["low_adjusted"], row["high_adjusted"], real)
        same = together([_same(generator, probes, seeds, differ) for _ in pairs])
        wrong.append(bool((same["p_adjusted"] < 0.05).any()))
        right += [
            row["p"] < 0.05
            for row in (differences(_apart(generator, seeds, probes, differ)).to_dict("records"))
        ]
        tested = falls(curves)
        adjusted, _divisors = holm(np.array([each.p for each in tested]))
        family.append(bool((adjusted[flat] < 0.05).any()))
        found += (adjusted[~flat] < 0.05).tolist()
    made: dict[str, float] = {"seeds": seeds, "probes": probes, "seeds_differ": differ, "studies": studies}
    for name in MEASURES:
        made[f"{name}_covers"] = round(100 * float(np.mean(held[name])), 1)
        made[f"{name}_width"] = round(float(np.mean(widths[name])), 3)
    for name, values in (
        ("false_difference", wrong),
        ("power_difference", right),
        ("family_fall", family),
        ("power_fall", found),
    ):
        made[name] = round(100 * float(np.mean(values)), 1)
    return made


def _true_crossing(rates: np.ndarray, logs: np.ndarray) -> float:
    above = np.flatnonzero(rates >= 0.5)
    if not len(above):
        return float("inf")
    at = int(above[0])
    share = 0.0 if at == 0 else (0.5 - rates[at - 1]) / (rates[at] - rates[at - 1])
    return float(np.expm1(logs[at - 1] + share * (logs[at] - logs[at - 1]))) if at else 0.0


def _two(
    generator: np.random.Generator, probes: int, seeds: int, differ: float, logits: tuple[float, float]
) -> np.ndarray:
    """Two settings at one step, correlated as curves are."""
    common = generator.normal(size=(1, seeds)) * np.sqrt(BETWEEN)
    deviations = differ * (common + generator.normal(size=(2, seeds)) * np.sqrt(1 - BETWEEN))
    chance = expit(np.array(logits)[:, None, None] + deviations[..., None] + generator.normal(size=probes))
    return np.asarray(generator.random(chance.shape) < chance, dtype=float)


def _same(generator: np.random.Generator, probes: int, seeds: int, differ: float):  # type: ignore[no-untyped-def]
    return contrast(_two(generator, probes, seeds, differ, (0.0, 0.0)), [1.0, -1.0])


def _apart(generator: np.random.Generator, seeds: int, probes: int, differ: float) -> list[Answers]:
    """A table of 24 rows whose rates are 20 points apart."""
    spread = float(np.hypot(differ, 1))
    logit = next(each for each in np.arange(0, 20, 0.02) if mean_rate(np.array(each), spread) >= 0.6)
    names = tuple(map(str, range(probes)))
    return [
        Answers(_two(generator, probes, seeds, differ, (logit, -logit)), (0, 1), tuple(range(seeds)), names)
        for _ in range(CURVES)
    ]


def main() -> None:
    """See the module's text."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    there = list(csv.DictReader(FILE.open())) if FILE.exists() else []
    done = {(int(row["seeds"]), int(row["probes"]), float(row["seeds_differ"])) for row in there}
    for size in SIZES:
        if size not in done:
            row = line(*size, studies)
            with FILE.open("a", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if not there:
                    writer.writeheader()
                writer.writerow(row)
            there.append({name: str(value) for name, value in row.items()})
            print(*size, flush=True)
    show(there)


def show(rows: list[dict[str, str]]) -> None:
    """The tables of docs/STATISTICS.md."""
    rows = sorted(rows, key=lambda row: [float(row[name]) for name in ("seeds", "probes", "seeds_differ")])
    heads = [
        "seeds",
        "probes",
        "seeds differ",
        "rate",
        "peak",
        "area",
        "difference",
        "all together",
        "crossing",
    ]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        cells = [row["seeds"], row["probes"], row["seeds_differ"]]
        for name in MEASURES:
            width = (
                f"{100 * float(row[f'{name}_width']):.0f}%"
                if name == "crossing"
                else f"{float(row[f'{name}_width']):.2f}"
            )
            cells.append(f"{float(row[f'{name}_covers']):.0f}, {width}")
        print(f"| {' | '.join(cells)} |")
    heads = ["seeds", "probes", "seeds differ", *(name.replace("_", " ") for name in COLUMNS[-4:])]
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        cells = [row[name] for name in ("seeds", "probes", "seeds_differ", *COLUMNS[-4:])]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
