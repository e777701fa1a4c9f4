"""What is the cheapest attack that works? A search for the attacks that no other beats in everything.

An attack has four prices: relearn steps, words of the corpus, learning rate, LoRA rank; and its success, the mean
over seeds. It is on the front where its success reaches the level and no other that works is at most as dear in
every price and at least as successful. Each unlearned model (model, method, repetitions, depth) has a front.

The first attacks asked are those that most others are like. Then Optuna's multi-objective TPE proposes new ones, by
ask and tell, in memory, made anew from the history in every round (Ozaki et al. 2022); of what it proposes, of what
else is listed, and of what was not tried in every seed (one seed says little of another), those are asked that would
stand for most of the front for which nothing known stands (``search_spaces.search.acquisition``). A trajectory tells
the sampler one trial for each of its steps. An attack that fails counts as the dearest there is, so that any that works
beats it, and among themselves success decides.

It ends when the front has not changed for some rounds and, of fronts drawn from what is expected of all attacks, what
is named stands for nearly all. Either alone is too little: with few answers a draw may hold nothing that works.
"""

from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np

from search_spaces.search.acquisition import Drawn, Settings, most_alike, most_news
from search_spaces.search.attack_space import PRICES, WORSE, AttackSpace, Tried
from search_spaces.search.attack_surrogate import Reach, Score, process_of
from search_spaces.search.budget import Spending, in_words
from search_spaces.search.gaussian_process import Numbers, Process, places_of
from study.identity import derived_seed
from study.planning.proposer import Answer, History, Point, asked_rows, grid_points, origins
from study.settings.attack import Attack
from study.spec import StudySpec

Target = tuple[str, str, int, int]
"""Model, method, repetitions, depth: what is attacked."""

QUIET_ROUNDS = 3
"""After so many rounds without an attack that changes the front by more than the tolerance it may be known."""
COVER = 0.95
"""Of each front, what the attacks named must be expected to stand for before it is taken as known."""
SPREAD = 8
"""So many trajectories of each target are spread over all axes before any front is drawn."""
ASKS = 32
"""Proposals of the sampler in each round, for each target."""
LISTED = 256
"""The most attacks that are weighed in a round."""


class Cheapest:
    """The proposer. A function of the spec and of the history; it remembers nothing."""

    def __init__(self, spec: StudySpec) -> None:
        if spec.search is None:
            raise ValueError("a search for the cheapest attack needs a spec with a search")
        self._spec = spec
        self._search = spec.search
        self._space = AttackSpace(spec)
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
        self._points = () if self._space.vary.ranges else tuple(self._grid())
        self._spending = Spending(spec, self._points)

    def candidates(self) -> tuple[Point, ...]:
        """The whole grid where everything is listed; nobody can list a range."""
        return self._points

    def propose(self, history: History) -> tuple[Point, ...]:
        """The next round; none at the end."""
        if self._is_known(history):
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
            cover = self.expected_cover(target, history) if found else 0.0
            sentences.append(self._sentence(target, found, cover))
            rows += [self._row(target, each) for each in found]
        tables = {"asked": asked_rows(history), **({"front": rows} if rows else {})}
        return Answer((*sentences, self._how_sure(history)), self._reason(history), tables)

    def front(self, target: Target, history: History) -> list[Tried]:
        """The attacks on one target that work and that none beats, by their prices.

        One that was not tried in every seed has the success that the process expects over all of them.
        """
        works = [each for each in self._expected(target, history) if each.success >= self._search.level]
        return sorted(
            (each for each in works if not any(other.beats(each) for other in works)),
            key=lambda each: (each.prices, each.attack.label),
        )

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is attacked."""
        return self._targets

    def _grid(self) -> Iterator[Point]:
        listed = self._spec.model_copy(update={"vary": self._space.vary})
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

    def _expected(self, target: Target, history: History) -> list[Tried]:
        tried = self.tried(target, history)
        every = len(self._spec.seed)
        if all(each.seeds == every for each in tried):
            return tried
        attacks = list(dict.fromkeys(each.attack for each in tried))
        process = self._process(target, attacks, history)
        places = [
            (attacks.index(each.attack), 0, self._steps.index(each.relearn_steps), -1) for each in tried
        ]
        expected = process.mean(places_of(places))
        return [
            each if each.seeds == every else replace(each, success=float(np.clip(mean, 0, 1)))
            for each, mean in zip(tried, expected, strict=True)
        ]

    def _process(self, target: Target, attacks: list[Attack], history: History) -> Process:
        """What is known of some attacks on a target."""
        scores = [
            Score(
                attacks.index(point.attack), point.seed, history.curves[point].value, history.curves[point].n
            )
            for point in _asked(target, history)
            if point in history.curves
        ]
        corpora = [attack.corpus for attack in attacks]
        return process_of(self._features(attacks), corpora, scores, self._search.level, len(self._spec.seed))

    def _features(self, attacks: list[Attack]) -> Numbers:
        return np.array([self._space.features(attack) for attack in attacks]).reshape(len(attacks), -1)

    def _round(self, target: Target, share: int, history: History) -> list[Point]:
        """Attacks never tried, or tried and not in every seed."""
        if share < 1:
            return []
        asked, attacks = _asked(target, history), self._weighed(target, history)
        left = {index: self._seeds_left(attack, asked, index) for index, attack in enumerate(attacks)}
        free = [index for index, seeds in left.items() if seeds]
        if len(asked) < SPREAD:
            features = self._features(attacks)
            likeness = Reach.of_none(features.shape[1]).likeness(features, [each.corpus for each in attacks])
            tried = range(len({point.attack for point in asked}))
            chosen = most_alike(likeness, tried, free, share)
        else:
            chosen = most_news(self._drawn(target, attacks, history).news, free, share)
        return [_point(target, attacks[index], left[index][0]) for index in chosen]

    def expected_cover(self, target: Target, history: History) -> float:
        """The share of the front for which an attack of the front as it is known is expected to stand."""
        return self._drawn(target, self._weighed(target, history), history).covered

    def _weighed(self, target: Target, history: History) -> list[Attack]:
        """What was tried, and then what may be asked next."""
        tried = dict.fromkeys(point.attack for point in _asked(target, history))
        return [*tried, *self._pool(target, history, set(tried))]

    def _drawn(self, target: Target, attacks: list[Attack], history: History) -> Drawn:
        process = self._process(target, attacks, history)
        return self._settings(target, attacks, history).drawn(process, self._search.level)

    def _settings(self, target: Target, attacks: list[Attack], history: History) -> Settings:
        settings = [(attack, steps) for attack in attacks for steps in self._steps]
        places = np.array([self._space.places(*setting) for setting in settings])
        return Settings(
            steps=len(self._steps),
            prices=np.array([self._prices(target, *setting) for setting in settings]),
            near=np.asarray((places[:, None] <= places[None, :] + self._search.tolerance).all(axis=2)),
            named=tuple(
                settings.index((each.attack, each.relearn_steps)) for each in self.front(target, history)
            ),
        )

    def _seeds_left(self, attack: Attack, asked: list[Point], number: int) -> list[int]:
        """Those that an attack was not asked in; attacks begin with different ones."""
        seeds, first = self._spec.seed, number % len(self._spec.seed)
        done = {point.seed for point in asked if point.attack == attack}
        return [seed for seed in (*seeds[first:], *seeds[:first]) if seed not in done]

    def _pool(self, target: Target, history: History, tried: set[Attack]) -> list[Attack]:
        """What Optuna proposes; where everything is listed, what is left of the list as well, up to ``LISTED``."""
        number = (len(history.rounds), self._targets.index(target))
        seed = derived_seed(self._search.seed, "cheapest", *number) % 2**32
        proposed = self._space.proposals(self.tried(target, history), self._search.level, ASKS, seed)
        listed = [point.attack for point in self._points if _target(point) == target]
        pool = dict.fromkeys((*proposed, *listed))
        return [attack for attack in pool if attack not in tried][:LISTED]

    def _is_known(self, history: History) -> bool:
        return self._is_quiet(history) and all(
            self.expected_cover(target, history) >= COVER for target in self._targets
        )

    def _is_quiet(self, history: History) -> bool:
        """Whether the last rounds brought nothing to any front that is not within the tolerance of what was there."""
        if len(history.rounds) <= QUIET_ROUNDS:
            return False
        earlier = replace(history, rounds=history.rounds[:-QUIET_ROUNDS])
        for target in self._targets:
            before, now = self.front(target, earlier), self.front(target, history)
            if not now and len(history.rounds) < 2 * QUIET_ROUNDS:
                return False
            if any(not any(self.stands_for(old, new) for old in before) for new in now):
                return False
            if any(new.seeds < len(self._spec.seed) for new in now):
                return False
        return True

    def stands_for(self, old: Tried, new: Tried) -> bool:
        """Whether the old is at most the tolerance dearer than the new, along every axis, and about as successful."""
        return self._space.stands_for(old, new, self._search.tolerance)

    def _reason(self, history: History) -> str:
        if self._is_known(history):
            return "tolerance"
        if self._points and len({*history.found, *history.asked}) >= len(self._points):
            return "grid"
        return "" if self.propose(history) else "budget"

    def _how_sure(self, history: History) -> str:
        spent = f"asked {len(history.asked)} trajectories in {len(history.rounds)} rounds"
        steps = f"{self._search.tolerance:g} step{'' if self._search.tolerance == 1 else 's'} of the grid"
        ends = {
            "tolerance": f"In {QUIET_ROUNDS} rounds no front changed by more than {steps} or {100 * WORSE:g} "
            "points, every attack named was tried in every seed, and at least "
            f"{100 * COVER:g}% of each front is expected to be covered",
            "grid": "Nothing is left to ask",
            "budget": f"The budget of {in_words(self._search.budget)} is spent"
            if self._search.budget
            else "",
            "": "Not at its end",
        }
        covered = f"at most {steps} dearer along each axis and at most {100 * WORSE:g} points less successful"
        return f"{ends[self._reason(history)]}; {spent}. An attack is covered where one that is named is {covered}."

    def _sentence(self, target: Target, found: list[Tried], cover: float) -> str:
        model, method, repetitions, depth = target
        name = f"r={repetitions}, depth {depth}"
        name += f", {method}" if len(self._spec.method) > 1 else ""
        name += f", {model}" if len(self._spec.model) > 1 else ""
        percent = f"{100 * self._search.level:g}%"
        if not found:
            return f"{name}: no attack that was tried reaches {percent}."
        first = min(found, key=lambda each: each.prices)
        among = "" if self._points else " among all attacks that the sampler proposes"
        return (
            f"{name}: {len(found)} attacks reach {percent} and are beaten by none; of the fewest steps: "
            f"{first.attack.label} after {first.relearn_steps} steps, {100 * first.success:.0f}%{self._spread(first)}. "
            f"They are expected to cover {100 * cover:.0f}% of the front{among}."
        )

    def _spread(self, tried: Tried) -> str:
        """How much the seeds differ, in brackets; empty where the study has one."""
        if len(self._spec.seed) == 1:
            return ""
        seeds = f"{tried.seeds} of {len(self._spec.seed)} seeds"
        return (
            f" ({100 * tried.lowest:.0f} to {100 * tried.highest:.0f}% in {seeds})"
            if tried.seeds > 1
            else f" (in {seeds})"
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


def _asked(target: Target, history: History) -> list[Point]:
    return [point for point in (*history.found, *history.asked) if _target(point) == target]


def _target(point: Point) -> Target:
    return (point.model, point.method, point.repetitions, point.depth)


def _point(target: Target, attack: Attack, seed: int) -> Point:
    model, method, repetitions, depth = target
    return Point(model, method, "unlearned", repetitions, depth, attack, seed)
