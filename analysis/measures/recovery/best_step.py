"""Net recovery over seeds, at the last step and at the best: intervals that allow for the best being chosen.

The best step of a relearning is the one with the largest mean over its seeds, so its number is too high by chance: the
interval beside it is one of all steps at once (each at 95% of all, Bonferroni), and holds whichever step is chosen.
A seed whose net recovery cannot be shown at some step is left out of all of them, so that every step is of the same
seeds.

An interval is the wider of two. Student's t with variances that all steps of all relearnings share
(``analysis.statistics.moderated``) knows how control and original differ between seeds. The interval of the relearned
rate (``analysis.statistics.rates``) between the means of control and original knows that a rate is no more than 100%:
where seeds are near 0 or 100%, t alone held the truth in 57 to 90% of simulated studies (docs/SIMULATIONS.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.measures.recovery.net_recovery import RELEARNING
from analysis.statistics.moderated import Contrast, are_counts, moderated
from analysis.statistics.rates import rate_interval
from analysis.statistics.wilson import Numbers

SEEDS_TOGETHER = [name for name in RELEARNING if name != "seed"]


@dataclass(frozen=True)
class NetCurve:
    """Net recovery along one relearning.

    Attributes:
        steps: in their order.
        net, value: steps × seeds, net recovery and the relearned score.
        control, original: of each step, the mean over seeds.
        queries: that each seed was asked.
    """

    steps: Sequence[int]
    net: Numbers
    value: Numbers
    control: Numbers
    original: Numbers
    queries: float

    def contrasts(self) -> list[Contrast]:
        """Of each step, in units of the gap between original and control, which is what net recovery is a share of."""
        gap = self.original - self.control
        rate = (self.value.mean(axis=1) * self.queries + 1) / (self.queries + 2)
        counted = are_counts(self.value * self.queries)
        floor = (1 / (self.queries + 2) / gap) ** 2 * counted
        least, most = -self.control / gap, (1 - self.control) / gap
        return [
            Contrast(
                by_seed,
                rate[at] * (1 - rate[at]) / gap[at] ** 2,
                floor=floor[at],
                least=min(float(by_seed.min()), least[at]),
                most=max(float(by_seed.max()), most[at]),
            )
            for at, by_seed in enumerate(self.net)
        ]

    def of_rate(self, at: int, confidence: float) -> tuple[float, float]:
        """The interval of one step's rate, as net recovery."""
        asked = [self.queries] * self.value.shape[1]
        low, high = rate_interval(self.value[at] * self.queries, asked, confidence)
        gap = self.original[at] - self.control[at]
        return float((low - self.control[at]) / gap), float((high - self.control[at]) / gap)


def best_of(curves: Sequence[NetCurve]) -> pd.DataFrame:
    """The last and the best step of each curve.

    Returns:
        A row per curve: ``seeds``; ``last_step`` with ``net``, ``low`` and ``high`` (95% over seeds); ``best_step``
        with ``best_net``, ``best_low`` and ``best_high`` (95% for all steps at once). Without ends where there is one
        seed.
    """
    table = moderated([row for curve in curves for row in curve.contrasts()])
    counts = np.array([len(curve.steps) for curve in curves])
    curve_of = np.repeat(np.arange(len(curves)), counts)
    alone, at_once = (table.interval(confidence) for confidence in (0.95, 1 - 0.05 / counts[curve_of]))

    def wider(
        ends: tuple[Numbers, Numbers], row: int, curve: NetCurve, at: int, confidence: float
    ) -> list[float]:
        if curve.net.shape[1] < 2:
            return [np.nan, np.nan]
        low, high = curve.of_rate(at, confidence)
        return [min(float(ends[0][row]), low), max(float(ends[1][row]), high)]

    made = []
    for at, curve in enumerate(curves):
        rows = np.flatnonzero(curve_of == at)
        last, best = rows[-1], rows[int(table.value[rows].argmax())]
        low, high = wider(alone, last, curve, last - rows[0], 0.95)
        best_low, best_high = wider(at_once, best, curve, best - rows[0], 1 - 0.05 / len(rows))
        made.append(
            {
                "seeds": curve.net.shape[1],
                "last_step": int(curve.steps[-1]),
                "net": table.value[last],
                "low": low,
                "high": high,
                "best_step": int(curve.steps[best - rows[0]]),
                "best_net": table.value[best],
                "best_low": best_low,
                "best_high": best_high,
            }
        )
    return pd.DataFrame(made)


def best_steps(steps: pd.DataFrame) -> pd.DataFrame:
    """Net recovery of each relearning, seeds together.

    Args:
        steps: of ``net_recovery``.

    Returns:
        A row per relearning that has a seed whose net recovery can be shown at every step: its coordinates but
        ``seed``, and the columns of ``best_of``.
    """
    shown = steps[steps.groupby(list(RELEARNING))["net"].transform(lambda net: net.notna().all())]
    places: list[dict[object, object]] = []
    curves: list[NetCurve] = []
    for place, part in shown.groupby(SEEDS_TOGETHER, sort=False):
        net = part.pivot(index="relearn_steps", columns="seed", values="net").dropna()
        if net.empty:
            continue  # no step that all of its seeds have
        means = part.groupby("relearn_steps")[["control", "original"]].mean().loc[net.index]
        value = part.pivot(index="relearn_steps", columns="seed", values="value").loc[net.index]
        places.append(dict(zip(SEEDS_TOGETHER, place, strict=True)))
        curves.append(
            NetCurve(
                [int(step) for step in net.index],
                net.to_numpy(float),
                value.to_numpy(float),
                means["control"].to_numpy(float),
                means["original"].to_numpy(float),
                float(part["queries"].min()),
            )
        )
    if not curves:
        return pd.DataFrame(columns=[*SEEDS_TOGETHER, "seeds"])
    return pd.concat([pd.DataFrame(places), best_of(curves)], axis=1)
