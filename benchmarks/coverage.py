"""How often the 95% intervals hold the truth: simulated studies in which it is known.

    python benchmarks/coverage.py [STUDIES]

Simulates STUDIES (2,000) studies for each line, on one thread. An answer is yes with a probability whose logit is a
middle, plus the seed's deviation (normal, its spread is the column ``seeds differ``), plus the probe's (normal, spread
1), which all seeds share. Prints the tables of docs/STATISTICS.md: coverage in percent, with the mean width. The
truth is the rate over all seeds and probes; for one seed, that seed's rate over all probes. What needs a whole curve
has half of the studies.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: many small products are slower on several threads

import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit

from analysis.measures.contour import _crossing
from analysis.measures.trajectories import _measures
from analysis.statistics.crossed_design import Answers
from analysis.statistics.intervals import estimate, spread

STEPS = (0, 5, 10, 20, 40)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def rate(middle: float, deviation: float) -> float:
    """The mean of a logit-normal probability."""
    return float(expit(middle + deviation * NODES) @ WEIGHTS)


def simulated(generator: np.random.Generator, logits: np.ndarray, seeds: np.ndarray, probes: int) -> Answers:
    """Answers of settings × seeds; ``logits`` of the settings, ``seeds`` their deviations."""
    chance = expit(logits[:, None, None] + seeds[:, :, None] + generator.normal(size=(1, 1, probes)))
    scores = (generator.random(chance.shape) < chance).astype(float)
    names = tuple(map(str, range(probes)))
    return Answers(scores, STEPS[: len(scores)] or (0,), tuple(range(seeds.shape[1])), names)


def line(words: Sequence[object], held: list[bool], widths: list[float]) -> None:
    """One row of a table."""
    shown = [str(word) for word in words]
    print(f"| {' | '.join(shown)} | {100 * np.mean(held):.1f} | {np.mean(widths):.2f} |", flush=True)


def number(value: object) -> float:
    """What a measure returns under a name, as the number that it is."""
    assert isinstance(value, int | float)  # noqa: S101
    return float(value)


def rates(generator: np.random.Generator, studies: int) -> None:
    """One rate."""
    print("| seeds | probes | seeds differ | true rate | covers | width |\n" + "|---" * 6 + "|")
    for seeds in (1, 2, 3, 5, 10):
        for probes, differ, middle in (
            (100, 0.0, 0.0),
            (100, 0.5, 0.0),
            (100, 1.0, 0.0),
            (100, 2.0, 0.0),
            (20, 1.0, 0.0),
            (100, 0.5, -2.5),
            (100, 1.5, -2.5),
            (100, 0.5, -5.0),
        ):
            held, widths = [], []
            for _ in range(studies):
                deviations = differ * generator.normal(size=(1, seeds))
                truth = (
                    rate(middle + deviations[0, 0], 1)
                    if seeds == 1
                    else rate(middle, float(np.hypot(differ, 1)))
                )
                found = simulated(generator, np.array([middle]), deviations, probes)
                (low,), (high,) = spread(found.scores, [1.0]).rate_interval()
                held.append(low <= truth <= high)
                widths.append(high - low)
            shown = "each its own" if seeds == 1 else f"{100 * truth:.0f}%"
            line([seeds, probes, differ, shown], held, widths)


def others(generator: np.random.Generator, studies: int) -> None:
    """Differences, areas, recovery fractions, steps to a threshold and the frontier's crossing."""
    print("\n| what | seeds | seeds differ | covers | width |\n|---|---|---|---|---|")
    rise = 2 * (np.log1p(STEPS) - np.log1p(10))
    for seeds in (2, 3, 5, 10):
        for differ in (0.5, 1.0):
            deviation = float(np.hypot(differ, 1))
            curve = np.array([rate(middle, deviation) for middle in rise])
            logs = np.log1p(STEPS)
            area = float(np.trapezoid(curve, logs) / (logs[-1] - logs[0]))
            apart = rate(0.5, float(np.hypot(deviation, 0.5))) - rate(-0.5, float(np.hypot(deviation, 0.5)))
            part = (curve[3] - curve[0]) / (rate(4.0, deviation) - curve[0])
            kept: dict[str, list[tuple[bool, float]]] = {}

            def note(
                what: str,
                low: object,
                high: object,
                truth: float,
                kept: dict[str, list[tuple[bool, float]]] = kept,
            ) -> None:
                begin, end = number(low), number(high)
                kept.setdefault(what, []).append((begin <= truth <= end, end - begin))

            for at in range(studies):
                own = differ * generator.normal(size=(1, seeds))
                pair = simulated(
                    generator, np.array([0.5, -0.5]), own + 0.5 * generator.normal(size=(2, seeds)), 100
                )
                (low,), (high,) = spread(pair.scores, [1.0, -1.0]).t_interval()
                note("difference of two cells", low, high, apart)
                if at % 2:
                    continue  # the rest takes longer: half of the studies
                found = simulated(generator, rise, own, 100)
                measures = _measures(found, 0.5)
                note("area", measures["area_low"], measures["area_high"], area)
                note("steps to a threshold", measures["steps_to_low"], measures["steps_to_high"], 10)
                crossing = _crossing(found, "relearn_steps", 0.5, None)
                note("frontier's crossing", crossing["low"], crossing["high"], 10)
                three = simulated(generator, np.array([rise[0], rise[3], 4.0]), own, 100)
                ratio = estimate(three, _recovered)
                note("recovery fraction", ratio.low, ratio.high, float(part))
            for what, found_all in kept.items():
                finite = [width for _, width in found_all if np.isfinite(width)]
                line([what, seeds, differ], [held for held, _ in found_all], finite or [np.nan])


def _recovered(rates: np.ndarray) -> np.ndarray:
    return np.asarray((rates[:, 1] - rates[:, 0]) / (rates[:, 2] - rates[:, 0]))


def drops(generator: np.random.Generator, studies: int) -> None:
    """How often a drop is called real where there is none, and where there is one of 20 points."""
    print("\n| curve | seeds | seeds differ | called real, % |\n|---|---|---|---|")
    flat, falling = np.array([-3.0, 0.5, 0.5, 0.5, 0.5]), np.array([-3.0, 0.5, 1.0, 0.5, -0.2])
    for words, curve in (("flat after step 5", flat), ("falls after step 10", falling)):
        for seeds in (1, 2, 3, 5):
            for differ in (0.0, 1.0) if seeds > 1 else (0.0,):
                called = []
                for _ in range(studies // 2):
                    own = differ * generator.normal(size=(1, seeds)) + 0.2 * differ * generator.normal(
                        size=(len(STEPS), seeds)
                    )
                    called.append(
                        number(_measures(simulated(generator, curve, own, 100), 0.5)["drop_p"]) < 0.05
                    )
                print(f"| {words} | {seeds} | {differ} | {100 * np.mean(called):.1f} |", flush=True)


def main() -> None:
    """See the module's text."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    parts: tuple[Callable[[np.random.Generator, int], None], ...] = (rates, others, drops)
    for part in parts:
        began = time.process_time()
        part(np.random.default_rng(6), studies)
        print(f"\n({time.process_time() - began:.0f} s of CPU)")


if __name__ == "__main__":
    main()
