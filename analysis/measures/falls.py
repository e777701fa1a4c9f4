"""Whether relearning longer lowers a score again: every earlier step against the last, all trajectories together.

A peak is the largest of several noisy rates, so what follows it always seems to fall. Each earlier step therefore has a
moderated t test of the logits of the seeds' rates, since seeds differ by as much there at every rate
(``analysis.statistics.moderated``, of all steps of all trajectories at once). A trajectory's p is that of its peak
times the number of steps (Bonferroni), so it holds whichever step is the peak. The interval of the fall is of the same
step at the same level: that of the logits, told in points at the slope between the two rates. A p above 5% does not say
that nothing fell: see ``detectable``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.crossed_design import Answers
from analysis.statistics.moderated import Contrast, Table, contrast, moderated
from analysis.statistics.thresholds import above
from analysis.statistics.wilson import Numbers

LEVEL = 0.05


@dataclass(frozen=True)
class Falls:
    """The falls of one trajectory, from each step before the last.

    Attributes:
        points: the rates minus the last.
        tested: on logits, of the same steps.
        slope: points for each unit of ``tested``.
        p: of the peak not being above the last step, for its having been chosen among all; NaN with one seed, and where
            all scores are the same.
        most: how far two scores can lie apart.
    """

    points: Numbers
    tested: Table
    slope: Numbers
    p: float
    most: float = 1.0

    def measures(self, p_adjusted: float, divisor: float) -> dict[str, object]:
        """The fall from the peak, with its interval at the level at which it was tested.

        Args:
            p_adjusted, divisor: as ``analysis.statistics.adjustment.holm`` gives them.
        """
        at = int(self.points.argmax())
        fell = above(self.points[at], 0)  # a peak at the last step has no fall
        untested = np.isnan(divisor)
        confidence = 1 - LEVEL / (len(self.points) * (1 if untested else divisor))
        low, high = (
            np.clip(end[at] * self.slope[at], -self.most, self.most)
            for end in self.tested.interval(confidence)
        )
        least = np.nan if untested else float(self.tested.detectable(confidence)[at] * self.slope[at])
        return {
            "drop": float(self.points[at]) if fell else 0.0,
            "drop_low": float(low) if fell else np.nan,
            "drop_high": float(high) if fell else np.nan,
            "drop_p": self.p,
            "drop_p_adjusted": p_adjusted,
            "drop_real": bool(p_adjusted < LEVEL),
            "drop_detectable": least,
        }


def falls(found: Sequence[Answers]) -> list[Falls]:
    """The falls of a study's trajectories.

    Args:
        found: of each trajectory, its steps in their order.
    """
    each = [_contrasts(one) for one in found]
    table = moderated([row for rows in each for row in rows]) if found else None
    made: list[Falls] = []
    begin = 0
    for one, rows in zip(found, each, strict=True):
        part = table.part(slice(begin, begin + len(rows))) if table else None
        begin += len(rows)
        if part is not None:
            rates = one.scores.mean(axis=(1, 2))
            points = rates[:-1] - rates[-1]
            shares = bool(one.scores.min() >= 0 and one.scores.max() <= 1)
            p = _p(one, part, int(points.argmax()))
            made.append(Falls(points, part, _slopes(one, part, points), p, 1.0 if shares else np.inf))
    return made


def _contrasts(found: Answers) -> list[Contrast]:
    """Each earlier step minus the last; with one seed, and of scores that are no rates, not on logits."""
    last = len(found.settings) - 1
    if not _on_logits(found):
        return [contrast(found.scores[[at, last]], [1.0, -1.0], found.clusters) for at in range(last)]
    answered = found.scores.sum(axis=2)
    probes = len(found.probes)
    logits = np.log((answered + 0.5) / (probes - answered + 0.5))
    rate = (answered.mean(axis=1) + 0.5) / (probes + 1)
    least = 1 / (probes + 2) / (rate * (1 - rate)) if np.isin(found.scores, (0.0, 1.0)).all() else 0 * rate
    return [
        Contrast(logits[at] - logits[last], floor=float(least[[at, last]].min() ** 2)) for at in range(last)
    ]


def _on_logits(found: Answers) -> bool:
    return len(found.seeds) > 1 and bool(found.scores.min() >= 0 and found.scores.max() <= 1)


def _slopes(found: Answers, tested: Table, points: Numbers) -> Numbers:
    if not _on_logits(found):
        return np.ones_like(points)
    rate = found.scores.mean(axis=(1, 2))
    inner = (rate * len(found.probes) + 0.5) / (len(found.probes) + 1)
    middle = (inner[:-1] + inner[-1]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = points / tested.value
    # Means of logits and of rates may differ in sign where they hardly differ; there the slope is the curve's.
    return np.where(slope > 0, slope, middle * (1 - middle))


def _p(found: Answers, tested: Table, peak: int) -> float:
    if len(found.seeds) == 1 or np.ptp(found.scores) == 0:
        return float("nan")
    p = float(tested.p()[peak]) if above(tested.value[peak], 0) else 1.0
    return min(1.0, len(tested.value) * p)
