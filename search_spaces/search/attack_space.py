"""The attacks that a spec allows: as Optuna samples them, and as places along the axes."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from study.settings.attack import Attack, Integers, Interval, Vary
from study.spec import StudySpec

PRICES = ("relearn_steps", "words", "learning_rate", "rank")
AXES = ("learning_rate", "rank", "fraction")
STARTUP = 4
"""Trajectories that are drawn at random before the sampler has its say."""
RANGE_STEPS = 10
"""So many steps of a grid a range counts as."""
WORSE = 0.1
"""By how much an attack may succeed less than another and still stand for it."""


@dataclass(frozen=True)
class Tried:
    """An attack of so many steps, and how it went.

    Attributes:
        success: mean over the seeds that were asked.
        seeds: how many were.
        lowest, highest: of the seeds.
        prices: in the order of ``PRICES``.
    """

    attack: Attack
    relearn_steps: int
    success: float
    seeds: int
    lowest: float
    highest: float
    prices: tuple[float, ...]

    def beats(self, other: "Tried") -> bool:
        """At most as dear in every price, at least as successful, and better in one."""
        mine, others = (*self.prices, -self.success), (*other.prices, -other.success)
        return all(a <= b for a, b in zip(mine, others, strict=True)) and mine != others


class AttackSpace:
    """The axes of a spec's attacks; where the spec varies nothing, rate, rank and part of the corpus all vary."""

    def __init__(self, spec: StudySpec) -> None:
        self.vary = spec.vary if spec.vary != Vary() else _everything(spec)
        self._corpora = spec.corpus
        self._steps = tuple(sorted(spec.relearn_steps))
        self._distributions = self._made()

    def proposals(self, tried: Iterable[Tried], level: float, count: int, seed: int) -> list[Attack]:
        """What Optuna proposes after what was tried; the steps that it names come with every trajectory."""
        study = self._told(list(tried), level, seed)
        return [self._attack(study.ask(self._distributions).params) for _ in range(count)]

    def features(self, attack: Attack) -> list[float]:
        """From 0 to 1 along each axis that varies."""
        found = []
        for name in AXES:
            value, axis = getattr(attack, name), getattr(self.vary, name)
            if value is not None:
                steps = max(1, len(axis) - 1) if isinstance(axis, tuple) else RANGE_STEPS
                found.append(_place(value, axis) / steps)
        return found

    def stands_for(self, old: Tried, new: Tried, tolerance: float) -> bool:
        """Whether the old is at most the tolerance dearer than the new, along every axis, and about as successful."""
        one, other = (self.places(each.attack, each.relearn_steps) for each in (old, new))
        return old.success >= new.success - WORSE and all(
            place <= another + tolerance for place, another in zip(one, other, strict=True)
        )

    def places(self, attack: Attack, relearn_steps: int) -> tuple[float, ...]:
        """In steps of the grid, along the steps and every axis."""
        found = [float(self._steps.index(relearn_steps))]
        for name in AXES:
            value, axis = getattr(attack, name), getattr(self.vary, name)
            found.append(0.0 if value is None else _place(value, axis))
        return tuple(found)

    def _told(self, tried: list[Tried], level: float, seed: int) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=STARTUP * len(self._steps), multivariate=True, constant_liar=True
            )
        study = optuna.create_study(directions=["minimize"] * (len(PRICES) + 1), sampler=sampler)
        dearest = [2 * max((each.prices[index] for each in tried), default=1) for index in range(len(PRICES))]
        for each in tried:
            prices = list(each.prices) if each.success >= level else dearest
            study.add_trial(
                optuna.trial.create_trial(
                    params=self._params(each),
                    distributions=self._distributions,
                    values=[-each.success, *prices],
                )
            )
        return study

    def _made(self) -> dict[str, BaseDistribution]:
        made: dict[str, BaseDistribution] = {}
        if len(self._corpora) > 1:
            made["corpus"] = CategoricalDistribution(self._corpora)
        for name in AXES:
            axis = getattr(self.vary, name)
            if isinstance(axis, Interval):
                made[name] = FloatDistribution(axis.low, axis.high, log=axis.log)
            elif isinstance(axis, Integers):
                made[name] = IntDistribution(axis.low, axis.high, log=axis.log)
            elif axis is not None and len(axis) > 1:  # by its place among the listed, which have an order
                made[name] = IntDistribution(0, len(axis) - 1)
        made["relearn_steps"] = IntDistribution(0, len(self._steps) - 1)
        return made

    def _listed(self, name: str) -> list[Any] | None:
        axis = getattr(self.vary, name)
        return sorted(axis) if isinstance(axis, tuple) else None

    def _attack(self, params: dict[str, Any]) -> Attack:
        values: dict[str, Any] = {}
        for name in AXES:
            listed = self._listed(name)
            if listed is not None:
                values[name] = listed[params.get(name, 0)]
            elif name in params:  # three digits say all that a label should
                axis = getattr(self.vary, name)
                rounded = float(f"{params[name]:.3g}")
                values[name] = params[name] if name == "rank" else min(max(rounded, axis.low), axis.high)
        return Attack(corpus=params.get("corpus", self._corpora[0]), **values)

    def _params(self, tried: Tried) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for name in self._distributions:
            if name == "relearn_steps":
                params[name] = self._steps.index(tried.relearn_steps)
                continue
            value = getattr(tried.attack, name)
            listed = self._listed(name) if name in AXES else None
            params[name] = value if listed is None else listed.index(value)
        return params


def _everything(spec: StudySpec) -> Vary:
    rate = spec.relearn.learning_rate
    return Vary(
        learning_rate=Interval(low=rate / 10, high=rate * 10, log=True),
        rank=Integers(low=1, high=32, log=True),
        fraction=Interval(low=0.1, high=1),
    )


def _place(value: float, axis: Interval | Integers | tuple[float, ...]) -> float:
    """In steps of the grid, from the least."""
    if isinstance(axis, tuple):
        return float(sorted(axis).index(value))
    low, high, at = (math.log(each) if axis.log else float(each) for each in (axis.low, axis.high, value))
    return RANGE_STEPS * (at - low) / (high - low)
