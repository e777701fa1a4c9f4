"""The attacks that a spec allows, as Optuna's distributions and as places along the axes; and how attacks went."""

import math
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from itertools import groupby
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

COSTS = ("relearn_steps", "words", "learning_rate", "rank")
AXES = ("learning_rate", "rank", "fraction")
RANGE_STEPS = 10
"""A range counts as a grid of so many steps."""
LESS_SUCCESS = 0.1
"""By how much an attack may succeed less than another and still stand for it."""
REPEATS = 10
"""Proposals per new attack, of which the sampler may repeat what was asked."""


@dataclass(frozen=True)
class Tried:
    """An attack of so many steps, and how it went.

    Attributes:
        success: mean over the seeds that were asked.
        seeds: how many seeds were asked.
        lowest, highest: of the seeds.
        costs: in the order of ``COSTS``.
    """

    attack: Attack
    relearn_steps: int
    success: float
    seeds: int
    lowest: float
    highest: float
    costs: tuple[float, ...]

    def dominates(self, other: "Tried") -> bool:
        """At most the cost in every kind of cost, at least the success, and better in one of them."""
        mine, others = (*self.costs, -self.success), (*other.costs, -other.success)
        return all(a <= b for a, b in zip(mine, others, strict=True)) and mine != others


class AttackSpace:
    """The axes of a spec's attacks; where the spec varies nothing, rate, rank and part of the corpus all vary."""

    def __init__(self, spec: StudySpec) -> None:
        self.vary = spec.vary if spec.vary != Vary() else _everything(spec)
        self._corpora = spec.corpus
        self._steps = tuple(sorted(spec.relearn_steps))
        self._distributions = self._made()

    def proposals(
        self, tried: Iterable[Tried], level: float, done: Set[Attack], count: int, seed: int
    ) -> Iterator[Attack]:
        """At most so many attacks that are not done, each once, as Optuna's TPE proposes them after what was tried."""
        study = self._study(tried, level, seed)
        seen = set(done)
        for _ in range(REPEATS * count):
            attack = self._attack(study.ask(self._distributions).params)
            if attack not in seen:
                seen.add(attack)
                yield attack
            if len(seen) == len(done) + count:
                return

    def stands_for(self, old: Tried, new: Tried, tolerance: float) -> bool:
        """Whether the old exceeds the new by at most the tolerance along every axis, and succeeds about as often."""
        one, other = (self._places(each) for each in (old, new))
        return old.success >= new.success - LESS_SUCCESS and all(
            place <= another + tolerance for place, another in zip(one, other, strict=True)
        )

    def _places(self, tried: Tried) -> tuple[float, ...]:
        """In steps of the grid, along the relearn steps and every axis."""
        found = [float(self._steps.index(tried.relearn_steps))]
        for name in AXES:
            value, axis = getattr(tried.attack, name), getattr(self.vary, name)
            found.append(0.0 if value is None else _place(value, axis))
        return tuple(found)

    def _study(self, tried: Iterable[Tried], level: float, seed: int) -> optuna.Study:
        """A trial for each attack: its greatest success, its fewest steps that reach the level, its other costs.

        An attack that never reaches the level costs twice the most there is, so that it dominates none that works.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            directions=["minimize"] * (len(COSTS) + 1), sampler=optuna.samplers.TPESampler(seed=seed)
        )
        of_attack = [list(group) for _, group in groupby(tried, key=lambda each: each.attack)]
        costs = [each.costs for group in of_attack for each in group]
        highest = [2 * max(kind) for kind in zip(*costs, strict=True)]
        for group in of_attack:
            works = [each.costs for each in group if each.success >= level]
            study.add_trial(
                optuna.trial.create_trial(
                    params=self._params(group[0].attack),
                    distributions=self._distributions,
                    values=[-max(each.success for each in group), *(min(works) if works else highest)],
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
            elif axis is not None and len(axis) > 1:  # by the index in the sorted list, which has an order
                made[name] = IntDistribution(0, len(axis) - 1)
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
            elif name in params:  # a label says three digits
                axis = getattr(self.vary, name)
                rounded = float(f"{params[name]:.3g}")
                values[name] = params[name] if name == "rank" else min(max(rounded, axis.low), axis.high)
        return Attack(corpus=params.get("corpus", self._corpora[0]), **values)

    def _params(self, attack: Attack) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for name in self._distributions:
            value = getattr(attack, name)
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
