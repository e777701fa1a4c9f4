"""The intervals and the test of falls that were used until 2026-11-27 (commit a074c24), to be measured beside today's.

Two-way variance over seeds and probes with Satterthwaite's degrees of freedom, of one row alone; Wilson's interval at
the effective number of answers for rates, Student's t for differences.
"""

import numpy as np
from scipy import stats

from analysis.statistics.adjustment import holm
from analysis.statistics.crossed_design import Answers
from analysis.statistics.wilson import Numbers, wilson


class Spread:
    """Linear statistics of scores (settings × seeds × probes), weights × settings, with their variances."""

    def __init__(self, scores: Numbers, weights: Numbers) -> None:
        table = np.tensordot(weights, scores, axes=(1, 0))
        _, seeds, probes = table.shape
        self.value = table.mean(axis=(1, 2))
        middle = self.value[:, None]
        of_seeds = probes * ((table.mean(axis=2) - middle) ** 2).sum(axis=1)
        of_probes = seeds * ((table.mean(axis=1) - middle) ** 2).sum(axis=1)
        rest = ((table - middle[:, :, None]) ** 2).sum(axis=(1, 2)) - of_seeds - of_probes
        between, among = of_seeds / (seeds - 1), of_probes / (probes - 1)
        left = np.maximum(rest, 0) / (seeds - 1) / (probes - 1)
        self.variance = np.maximum.reduce([between + among - left, between, among]) / seeds / probes
        cautious = between * (1 + 2 / (seeds - 1))
        largest = np.maximum.reduce([cautious + among - left, cautious, among])
        parts = cautious**2 / (seeds - 1) + among**2 / (probes - 1) + left**2 / (seeds - 1) / (probes - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            freedom = np.where(largest > 0, largest**2 / parts, np.inf)
        self.freedom = np.maximum(freedom, min(seeds, probes) - 1)
        self.floor = (np.abs(weights).max(axis=1) / (probes + 2)) ** 2
        self.least = np.minimum(weights, 0).sum(axis=1)
        self.most = np.maximum(weights, 0).sum(axis=1)
        self.probes, self.total = probes, seeds * probes

    def of_rate(self) -> tuple[Numbers, Numbers]:
        """Ends for what lies between 0 and 1."""
        alike = self.variance <= 0
        with np.errstate(divide="ignore", invalid="ignore"):
            answers = self.value * (1 - self.value) / self.variance
        answers = np.where(alike, self.probes, np.minimum(answers, self.total))
        normal = stats.norm.isf(0.025)
        student = np.where(alike, normal, stats.t.isf(0.025, self.freedom))
        answers = np.maximum(answers * (normal / student) ** 2, 1e-9)
        return wilson(self.value * answers, answers)

    def _error(self) -> tuple[Numbers, Numbers]:
        floored = self.variance < self.floor
        return np.sqrt(np.where(floored, self.floor, self.variance)), np.where(floored, np.inf, self.freedom)

    def of_difference(self) -> tuple[Numbers, Numbers]:
        """Ends for anything else."""
        error, freedom = self._error()
        half = stats.t.isf(0.025, freedom) * error
        return np.maximum(self.value - half, self.least), np.minimum(self.value + half, self.most)

    def above_zero(self) -> Numbers:
        """One-sided p of each being above 0."""
        error, freedom = self._error()
        return np.asarray(stats.t.sf(self.value / error, freedom))


def falling(curves: list[Answers]) -> Numbers:
    """Of each curve, the p of no earlier step being above the last, after Holm."""
    p = []
    for curve in curves:
        last = len(curve.settings) - 1
        weights = np.eye(last, last + 1) - np.eye(1, last + 1, last)
        p.append(min(1.0, last * float(Spread(curve.scores, weights).above_zero().min())))
    return holm(np.array(p))[0]
