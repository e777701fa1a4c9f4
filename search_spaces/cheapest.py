"""What is the cheapest attack that works? A search for the attacks that no other beats in everything.

An attack has four prices: relearn steps, words of the corpus, learning rate, LoRA rank; and its success, the mean
over seeds. It is on the front where its success reaches the level and no other that works is at most as dear in
every price and at least as successful. Each unlearned model (model, method, repetitions, depth) has a front.

Optuna's multi-objective TPE proposes new attacks, by ask and tell, in memory, made anew from the history in every
round (Ozaki et al. 2022); of what it proposes, and of what else is listed, the most promising are asked (see
``search_spaces.promise``). A trajectory tells it one trial for each of its steps. An attack that fails counts as
the dearest there is, so that any that works beats it, and among themselves success decides. Half of a round asks
attacks on the front in seeds that they were not tried in: one seed says little of another.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search_spaces.asked import asked_rows
from search_spaces.promise import alike, process_of, promises, spread_out
from search_spaces.spending import Spending, in_words
from study.attack import Attack, Integers, Interval, Vary
from study.identity import derived_seed
from study.points import Answer, History, Point, grid_points, origins
from study.spec import StudySpec

Target = tuple[str, str, int, int]
"""Model, method, repetitions, depth: what is attacked."""

PRICES = ("relearn_steps", "words", "learning_rate", "rank")
AXES = ("learning_rate", "rank", "fraction")
QUIET_ROUNDS = 3
"""After so many rounds without an attack that changes the front by more than the tolerance, it is taken as known."""
STARTUP = 4
"""Trajectories for each target that are drawn at random before the sampler has its say."""
ASKS = 32
"""Proposals of the sampler in each round, for each target."""
LISTED = 256
"""The most attacks that are weighed in a round."""


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


class Cheapest:
    """The proposer. A function of the spec and of the history; it remembers nothing."""

    def __init__(self, spec: StudySpec) -> None:
        if spec.search is None:
            raise ValueError("a search for the cheapest attack needs a spec with a search")
        self._spec = spec
        self._search = spec.search
        self._vary = spec.vary if spec.vary != Vary() else _default(spec)
        self._steps = tuple(sorted(spec.relearn_steps))
        self._targets: tuple[Target, ...] = tuple(
            (model, method, count, depth)
            for model in spec.model
            for count in spec.repetitions
            for start, method, depth in origins(spec)
            if start == "unlearned"
        )
        self._words = {
            (count, corpus): spec.the_scenario.material(count).relearn[corpus].corpus
            for count in spec.repetitions
            for corpus in spec.corpus
        }
        self._points = () if self._vary.ranges else tuple(self._grid())
        self._spending = Spending(spec, self._points)
        self._space = self._distributions()

    def candidates(self) -> tuple[Point, ...]:
        """The whole grid where everything is listed; nobody can list a range."""
        return self._points

    def propose(self, history: History) -> tuple[Point, ...]:
        """The next round; none at the end."""
        if self._is_quiet(history):
            return ()
        shares = self._shares(len(history.rounds))
        chosen = [
            point
            for target, share in zip(self._targets, shares, strict=True)
            for point in self._round(target, share, history)
        ]
        return tuple(self._spending.within(self._search.budget, history, chosen))

    def answer(self, history: History) -> Answer:
        """The fronts, and how many seeds each of their attacks was tried in."""
        rows: list[dict[str, Any]] = []
        sentences = []
        for target in self._targets:
            found = self.front(target, history)
            sentences.append(self._sentence(target, found))
            rows += [self._row(target, each) for each in found]
        tables = {"asked": asked_rows(history), **({"front": rows} if rows else {})}
        return Answer((*sentences, self._how_sure(history)), self._reason(history), tables)

    def front(self, target: Target, history: History) -> list[Tried]:
        """The attacks on one target that work and that none beats, by their prices."""
        works = [each for each in self.tried(target, history) if each.success >= self._search.level]
        return sorted(
            (each for each in works if not any(other.beats(each) for other in works)),
            key=lambda each: (each.prices, each.attack.label),
        )

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is attacked."""
        return self._targets

    def _grid(self) -> Iterator[Point]:
        listed = self._spec.model_copy(update={"vary": self._vary})
        return (point for point in grid_points(listed) if point.start == "unlearned")

    def _shares(self, number: int) -> list[int]:
        """How many trajectories of a round each target gets; in turns where there are fewer than targets."""
        count = len(self._targets)
        base, rest = divmod(max(self._search.round, 1), count)
        first = number * rest % count
        extra = {(first + index) % count for index in range(rest)}
        return [base + (index in extra) for index in range(count)]

    def tried(self, target: Target, history: History) -> list[Tried]:
        """Every attack on a target that was answered, at each of its steps."""
        by_attack: dict[Attack, list[tuple[float, ...]]] = {}
        for point in (*history.found, *history.asked):
            if _target(point) == target and point in history.curves:
                by_attack.setdefault(point.attack, []).append(history.curves[point].value)
        made = []
        for attack, curves in by_attack.items():
            for index, steps in enumerate(self._steps):
                scores = [curve[index] for curve in curves]
                if steps:
                    prices = self._prices(target, attack, steps)
                    made.append(
                        Tried(attack, steps, fmean(scores), len(scores), min(scores), max(scores), prices)
                    )
        return made

    def _prices(self, target: Target, attack: Attack, steps: int) -> tuple[float, ...]:
        corpus = attack.part(self._words[target[2], attack.corpus])
        words = sum(len(example.text.split()) for example in corpus.examples)
        optimiser = attack.optimiser(self._spec.relearn)
        rank = optimiser.lora.rank if optimiser.lora is not None else 0
        return (float(steps), float(words), optimiser.learning_rate, float(rank))

    def _round(self, target: Target, share: int, history: History) -> list[Point]:
        asked = {point for point in (*history.found, *history.asked) if _target(point) == target}
        chosen = self._again(target, (share + 1) // 2, history, asked)
        fresh = self._fresh(target, share - len(chosen), history, asked | set(chosen))
        return [*chosen, *fresh]

    def _again(self, target: Target, count: int, history: History, asked: set[Point]) -> list[Point]:
        """Attacks on the front, and those it would have with a little more success, in one more seed."""
        near = sorted(
            self.front(target, history), key=lambda each: (each.seeds, each.prices, each.attack.label)
        )
        chosen: list[Point] = []
        for attack in dict.fromkeys(each.attack for each in near):
            seeds = {point.seed for point in asked if point.attack == attack}
            seed = next((seed for seed in self._spec.seed if seed not in seeds), None)
            if seed is not None and len(chosen) < count:
                chosen.append(_point(target, attack, seed))
        return chosen

    def _fresh(self, target: Target, count: int, history: History, asked: set[Point]) -> list[Point]:
        """Attacks that were never tried: of those that Optuna proposes, the most promising."""
        if count < 1:
            return []
        tried = list(
            dict.fromkeys(point.attack for point in (*history.found, *history.asked) if point in asked)
        )
        pool = self._pool(target, history, set(tried))
        attacks = [*tried, *pool]
        features = np.array([self._features(attack) for attack in attacks]).reshape(len(attacks), -1)
        likeness = alike(features, [attack.corpus for attack in attacks])
        known = [
            (attacks.index(point.attack), point.seed, history.curves[point].value, history.curves[point].n)
            for point in (*history.found, *history.asked)
            if point in history.curves and _target(point) == target
        ]
        prices = np.array(
            [[self._prices(target, attack, steps) for steps in self._steps] for attack in attacks]
        )
        process = process_of(likeness, known, self._search.level, len(self._spec.seed))
        promise = promises(process, len(attacks), prices, self._search.level)
        chosen = spread_out(promise, likeness, range(len(tried), len(attacks)), count)
        seeds = self._spec.seed
        return [
            _point(target, attacks[index], seeds[(len(tried) + number) % len(seeds)])
            for number, index in enumerate(chosen)
        ]

    def _pool(self, target: Target, history: History, tried: set[Attack]) -> list[Attack]:
        """What Optuna proposes; where everything is listed, what is left of the list as well, up to ``LISTED``."""
        number = (len(history.rounds), self._targets.index(target))
        study = self._study(target, history, derived_seed(self._search.seed, "cheapest", *number))
        proposed = [self._attack(study.ask(self._space).params) for _ in range(ASKS)]
        listed = [point.attack for point in self._points if _target(point) == target]
        pool = dict.fromkeys((*proposed, *listed))
        return [attack for attack in pool if attack not in tried][:LISTED]

    def _features(self, attack: Attack) -> list[float]:
        """From 0 to 1 along each axis that varies."""
        found = []
        for name in AXES:
            value, axis = getattr(attack, name), getattr(self._vary, name)
            if value is not None:
                most = 10 if not isinstance(axis, tuple) else max(1, len(axis) - 1)
                found.append(_place(value, axis) / most)
        return found

    def _study(self, target: Target, history: History, seed: int) -> optuna.Study:
        tried = self.tried(target, history)
        sampler = _sampler(seed % 2**32, STARTUP * len(self._steps))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(directions=["minimize"] * (len(PRICES) + 1), sampler=sampler)
        dearest = [2 * max((each.prices[index] for each in tried), default=1) for index in range(len(PRICES))]
        for each in tried:
            works = each.success >= self._search.level
            prices = list(each.prices) if works else dearest
            study.add_trial(
                optuna.trial.create_trial(
                    params=self._params(each),
                    distributions=self._space,
                    values=[-each.success, *prices],
                )
            )
        return study

    def _distributions(self) -> dict[str, BaseDistribution]:
        space: dict[str, BaseDistribution] = {}
        if len(self._spec.corpus) > 1:
            space["corpus"] = CategoricalDistribution(self._spec.corpus)
        for name in AXES:
            axis = getattr(self._vary, name)
            if isinstance(axis, Interval):
                space[name] = FloatDistribution(axis.low, axis.high, log=axis.log)
            elif isinstance(axis, Integers):
                space[name] = IntDistribution(axis.low, axis.high, log=axis.log)
            elif axis is not None and len(axis) > 1:
                space[name] = IntDistribution(
                    0, len(axis) - 1
                )  # its place among the listed, which are ordered
        space["relearn_steps"] = IntDistribution(0, len(self._steps) - 1)
        return space

    def _listed(self, name: str) -> list[Any] | None:
        axis = getattr(self._vary, name)
        return sorted(axis) if isinstance(axis, tuple) else None

    def _attack(self, params: dict[str, Any]) -> Attack:
        """What the sampler means; the steps that it names come with every trajectory."""
        values: dict[str, Any] = {}
        for name in AXES:
            listed = self._listed(name)
            if listed is not None:
                values[name] = listed[params.get(name, 0)]
            elif name in params:
                values[name] = params[name] if name == "rank" else float(f"{params[name]:.3g}")
        return Attack(corpus=params.get("corpus", self._spec.corpus[0]), **values)

    def _params(self, tried: Tried) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for name in self._space:
            if name == "relearn_steps":
                params[name] = self._steps.index(tried.relearn_steps)
                continue
            value = getattr(tried.attack, name)
            listed = self._listed(name) if name in AXES else None
            params[name] = value if listed is None else listed.index(value)
        return params

    def _is_quiet(self, history: History) -> bool:
        """Whether the last rounds brought nothing to any front that is not within the tolerance of what was there."""
        if len(history.rounds) <= QUIET_ROUNDS:
            return False
        earlier = replace(history, rounds=history.rounds[:-QUIET_ROUNDS])
        for target in self._targets:
            before, now = self.front(target, earlier), self.front(target, history)
            if not now and len(history.rounds) < 2 * QUIET_ROUNDS:
                return False
            if any(not any(self.near(old, new) for old in before) for new in now):
                return False
            if any(new.seeds < len(self._spec.seed) for new in now):
                return False
        return True

    def near(self, old: Tried, new: Tried) -> bool:
        """Whether the old is at most the tolerance dearer than the new, in every price."""
        return all(
            old_place <= new_place + self._search.tolerance
            for old_place, new_place in zip(self._grid_places(old), self._grid_places(new), strict=True)
        )

    def _grid_places(self, tried: Tried) -> tuple[float, ...]:
        """The prices in steps of the grid; a range counts as ten."""
        attack = tried.attack
        places = [float(self._steps.index(tried.relearn_steps))]
        for name in AXES:
            value, axis = getattr(attack, name), getattr(self._vary, name)
            places.append(0.0 if value is None else _place(value, axis))
        return tuple(places)

    def _reason(self, history: History) -> str:
        if self._is_quiet(history):
            return "tolerance"
        if self._points and len({*history.found, *history.asked}) >= len(self._points):
            return "grid"
        return "" if self.propose(history) else "budget"

    def _how_sure(self, history: History) -> str:
        spent = f"asked {len(history.asked)} trajectories in {len(history.rounds)} rounds"
        ends = {
            "tolerance": f"In {QUIET_ROUNDS} rounds nothing was found that is cheaper by more than "
            f"{self._search.tolerance:g} steps of the grid, and every attack named was tried in every seed",
            "grid": "Nothing is left to ask",
            "budget": f"The budget of {in_words(self._search.budget)} is spent"
            if self._search.budget
            else "",
            "": "Not at its end",
        }
        return f"{ends[self._reason(history)]}; {spent}."

    def _sentence(self, target: Target, found: list[Tried]) -> str:
        model, method, repetitions, depth = target
        name = f"r={repetitions}, depth {depth}"
        name += f", {method}" if len(self._spec.method) > 1 else ""
        name += f", {model}" if len(self._spec.model) > 1 else ""
        percent = f"{100 * self._search.level:g}%"
        if not found:
            return f"{name}: no attack that was tried reaches {percent}."
        first = min(found, key=lambda each: each.prices)
        seeds = f"{first.seeds} of {len(self._spec.seed)} seeds"
        return (
            f"{name}: {len(found)} attacks reach {percent} and are beaten by none; of the fewest steps: "
            f"{first.attack.label} after {first.relearn_steps} steps, {100 * first.success:.0f}% "
            f"({100 * first.lowest:.0f} to {100 * first.highest:.0f}% in {seeds})."
        )

    def _row(self, target: Target, tried: Tried) -> dict[str, Any]:
        model, method, repetitions, depth = target
        return {
            "model": model,
            "method": method,
            "repetitions": repetitions,
            "depth": depth,
            "corpus": tried.attack.label,
            **dict(zip(PRICES, tried.prices, strict=True)),
            "success": tried.success,
            "lowest": tried.lowest,
            "highest": tried.highest,
            "seeds": tried.seeds,
        }


def _sampler(seed: int, startup: int) -> optuna.samplers.TPESampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=startup, multivariate=True, constant_liar=True
        )


def _default(spec: StudySpec) -> Vary:
    """What an attacker varies where the spec does not say."""
    rate = spec.relearn.learning_rate
    return Vary(
        learning_rate=Interval(low=rate / 10, high=rate * 10, log=True),
        rank=Integers(low=1, high=32, log=True),
        fraction=Interval(low=0.1, high=1),
    )


def _place(value: float, axis: Interval | Integers | tuple[float, ...]) -> float:
    if isinstance(axis, tuple):
        return float(sorted(axis).index(value))
    low, high, at = (math.log(each) if axis.log else float(each) for each in (axis.low, axis.high, value))
    return 10 * (at - low) / (high - low)


def _target(point: Point) -> Target:
    return (point.model, point.method, point.repetitions, point.depth)


def _point(target: Target, attack: Attack, seed: int) -> Point:
    model, method, repetitions, depth = target
    return Point(model, method, "unlearned", repetitions, depth, attack, seed)
