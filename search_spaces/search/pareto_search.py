"""Which attacks to try next, for the Pareto-optimal ones: those that work and that no other attack dominates?

An attack has four costs: relearn steps, words of the corpus, learning rate, LoRA rank; and its success, the mean over
seeds. It is on the front where its success reaches the level and no other that works is at most its cost in every
kind and at least as successful. Each unlearned model (model, method, repetitions, depth) has a front of its own.

Optuna's multi-objective TPE proposes the attacks (Ozaki et al. 2022), by ask and tell, in memory; the sampler is
built from the history in every round. An attack is asked in every seed, since one seed says little of another. The
search of a model ends when so many attacks in a row changed nothing on its front by more than the tolerance.
"""

from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

import numpy as np

from search_spaces.search.attack_space import AttackSpace, Tried
from search_spaces.search.budget import Spending
from search_spaces.search.pareto_answer import Target, end_sentence, front_row, front_sentence
from study.identity import derived_seed
from study.planning.materials import Materials
from study.planning.proposer import Answer, History, Point, asked_rows, grid_points, origins
from study.settings.attack import Attack

QUIET_ATTACKS = 40
"""A front is taken as known when so many attacks in a row changed it by no more than the tolerance."""


class ParetoSearch:
    """The proposer of ``--search cheapest``. A function of the spec, its data and the history; it remembers nothing."""

    def __init__(self, materials: Materials) -> None:
        spec = materials.spec
        if spec.search is None:
            raise ValueError("expected a spec with a search")
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
            (count, corpus): material.relearn[corpus].corpus
            for count, material in materials.of.items()
            for corpus in spec.corpus
        }
        self._points = () if self._space.vary.ranges else tuple(self._grid())
        self._spending = Spending(spec, self._points)

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is attacked."""
        return self._targets

    def candidates(self) -> tuple[Point, ...]:
        """The whole grid where everything is listed; nothing where an axis is a range."""
        return self._points

    def propose(self, history: History) -> tuple[Point, ...]:
        """The next round; none at the end."""
        counts = self._counts(history)
        chosen = [
            Point(model, method, "unlearned", repetitions, depth, attack, seed)
            for (model, method, repetitions, depth), count in counts.items()
            for attack in self._attacks((model, method, repetitions, depth), count, history)
            for seed in self._seeds_left((model, method, repetitions, depth), attack, history)
        ]
        return tuple(self._spending.within(self._search.budget, history, chosen))

    def answer(self, history: History) -> Answer:
        """The fronts, and in how many seeds each of their attacks was tried."""
        fronts = {target: self.front(target, history) for target in self._targets}
        rows = [front_row(target, each) for target, found in fronts.items() for each in found]
        reason = self._reason(history)
        return Answer(
            (
                *(front_sentence(self._spec, target, found) for target, found in fronts.items()),
                end_sentence(self._search, reason, history, QUIET_ATTACKS),
            ),
            reason,
            {"asked": asked_rows(history), **({"front": rows} if rows else {})},
        )

    def front(self, target: Target, history: History) -> list[Tried]:
        """The attacks on one target that work and that none dominates, by their costs."""
        works = [each for each in self.tried(target, history) if each.success >= self._search.level]
        return sorted(
            (each for each in works if not any(other.dominates(each) for other in works)),
            key=lambda each: (each.costs, each.attack.label),
        )

    def tried(self, target: Target, history: History) -> list[Tried]:
        """Every attack on a target that was answered, at each of its steps but 0; attack by attack."""
        by_attack: dict[Attack, list[tuple[float, ...]]] = {}
        for point in _of(target, history):
            if point in history.curves:
                by_attack.setdefault(point.attack, []).append(history.curves[point].value)
        made = []
        for attack, curves in by_attack.items():
            for index, steps in enumerate(self._steps):
                scores = [curve[index] for curve in curves]
                if steps:
                    costs = self._costs(target, attack, steps)
                    made.append(
                        Tried(attack, steps, fmean(scores), len(scores), min(scores), max(scores), costs)
                    )
        return made

    def stands_for(self, old: Tried, new: Tried) -> bool:
        """Whether the old is as good as the new, to the tolerance; see ``AttackSpace.stands_for``."""
        return self._space.stands_for(old, new, self._search.tolerance)

    def is_quiet(self, target: Target, history: History, attacks: int = QUIET_ATTACKS) -> bool:
        """Whether the last so many attacks on a target added nothing to its front that nothing before them stood for.

        Where no attack works yet, twice as many must have been tried.
        """
        asked = list(dict.fromkeys(point.attack for point in history.asked if _target(point) == target))
        now = self.front(target, history)
        count = attacks if now else 2 * attacks
        if len(asked) <= count:
            return False
        last = set(asked[-count:])
        curves = {point: curve for point, curve in history.curves.items() if point.attack not in last}
        before = self.front(target, replace(history, curves=curves))
        return all(any(self.stands_for(old, new) for old in before) for new in now)

    def _counts(self, history: History) -> dict[Target, int]:
        """How many attacks of a round each target gets that is not at its end; in turns where there are fewer."""
        left = [target for target in self._targets if not self.is_quiet(target, history)]
        attacks = max(1, self._search.round // len(self._spec.seed))
        first = len(history.rounds) * attacks
        counts = dict.fromkeys(left, 0)
        for index in range(attacks if left else 0):
            counts[left[(first + index) % len(left)]] += 1
        return counts

    def _attacks(self, target: Target, count: int, history: History) -> list[Attack]:
        """First those of the front that some seed was not asked of; then TPE's; then what else is listed, at random."""
        if not count:
            return []
        tried = self.tried(target, history)
        front = dict.fromkeys(each.attack for each in self.front(target, history))
        chosen = [attack for attack in front if self._seeds_left(target, attack, history)][:count]
        done = {point.attack for point in _of(target, history)} | set(chosen)
        seed = derived_seed(self._search.seed, "cheapest", len(history.rounds), self._targets.index(target))
        proposed = self._space.proposals(tried, self._search.level, done, count - len(chosen), seed % 2**32)
        chosen += proposed
        listed = dict.fromkeys(point.attack for point in self._points if _target(point) == target)
        left = [attack for attack in listed if attack not in done and attack not in chosen]
        order = np.random.default_rng(seed).permutation(len(left))
        return [*chosen, *(left[index] for index in order[: count - len(chosen)])]

    def _seeds_left(self, target: Target, attack: Attack, history: History) -> list[int]:
        """The seeds in which an attack was not asked."""
        done = {point.seed for point in _of(target, history) if point.attack == attack}
        return [seed for seed in self._spec.seed if seed not in done]

    def _costs(self, target: Target, attack: Attack, steps: int) -> tuple[float, ...]:
        corpus = attack.part(self._words[target[2], attack.corpus])
        words = sum(len(example.text.split()) for example in corpus.examples)
        optimiser = attack.optimiser(self._spec.relearn.optimiser)
        rank = optimiser.lora.rank if optimiser.lora is not None else 0
        return (float(steps), float(words), optimiser.learning_rate, float(rank))

    def _grid(self) -> Iterator[Point]:
        listed = self._spec.model_copy(update={"vary": self._space.vary})
        return (point for point in grid_points(listed) if point.start == "unlearned")

    def _reason(self, history: History) -> str:
        if all(self.is_quiet(target, history) for target in self._targets):
            return "tolerance"
        if self._points and len({*history.found, *history.asked}) >= len(self._points):
            return "grid"
        return "" if self.propose(history) else "budget"


def _of(target: Target, history: History) -> list[Point]:
    return [point for point in (*history.found, *history.asked) if _target(point) == target]


def _target(point: Point) -> Target:
    return (point.model, point.method, point.repetitions, point.depth)
