"""Where does the attack begin to work? A search for the contour of a level over depth and relearn steps.

Each round asks for the trajectories that would tell most about the contour, per step that they cost. What one
would tell is how much of the variance at the contour its answers would take away, where a place counts by how
likely the level is crossed there (targeted integrated variance: Picheny et al. 2010; it weighs as the straddle
of Bryan et al. 2005 does, and sees what an answer says about its neighbours and about the steps along it).
Within a round each choice takes those before it as made. Contours that are known to the tolerance count no more.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from search_spaces.search.budget import Spending, in_words
from search_spaces.search.contour import NOWHERE, Contours, at_depth, contours
from search_spaces.search.gaussian_process import Alike, Numbers, Places, Process, fitted, places_of
from study.planning.proposer import Answer, History, Point, asked_rows, grid_points
from study.settings.search import Search
from study.spec import StudySpec

Truths = npt.NDArray[np.bool_]
Context = tuple[str, str, int, str]
"""Model, method, repetitions, attack: what has a contour of its own."""

SURE = 0.95
FIRST_PART = 0.25
"""Of the points, drawn by the search's seed, among which the first round chooses."""
OTHER_ATTACK = 0.6
OTHER_METHOD = 0.5
OTHER_MODEL = 0.3
"""How alike two contexts count that differ in this, before anything is known."""


class Frontier:
    """The proposer. A function of the spec and of the history; it remembers nothing."""

    def __init__(self, spec: StudySpec) -> None:
        if spec.search is None:
            raise ValueError("a frontier needs a spec with a search")
        self._spec = spec
        self._search: Search = spec.search
        self._points = tuple(point for point in grid_points(spec) if point.start == "unlearned")
        self._contexts: tuple[Context, ...] = tuple(dict.fromkeys(map(_context, self._points)))
        self._depths = tuple(sorted(spec.depth))
        self._steps = tuple(sorted(spec.relearn_steps))
        self._index = {context: index for index, context in enumerate(self._contexts)}
        self._alike = _alike(self._contexts, from_start=self._steps[0] == 0)
        self._spending = Spending(spec, self._points)

    def candidates(self) -> tuple[Point, ...]:
        """Every trajectory of the grid that starts from an unlearned model."""
        return self._points

    def propose(self, history: History) -> tuple[Point, ...]:
        """The next round; none at the end."""
        process = self._process(history)
        known = self._contours(process).half_width <= self._search.tolerance
        if history.curves and known.all():
            return ()
        taken = {*history.found, *history.asked}
        free = [point for point in self._points if point not in taken]
        if not history.rounds and not history.found:
            draw = np.random.default_rng(self._search.seed)
            count = min(len(free), max(2 * self._search.round, round(FIRST_PART * len(free))))
            free = [free[index] for index in sorted(draw.choice(len(free), count, replace=False))]
        chosen = self._choose(process, known, free, history)
        return tuple(self._spending.within(self._search.budget, history, chosen))

    def answer(self, history: History) -> Answer:
        """The contours with their bands, and whether they are what one expects."""
        found = self._contours(self._process(history))
        return Answer(
            (*self._sentences(found), self._how_sure(found, history)),
            self._reason(found, history),
            {"contours": self._rows(found), "asked": asked_rows(history)},
        )

    def estimate(self, history: History) -> Contours:
        """The contours alone, contexts × steps, in the order of ``contexts``."""
        return self._contours(self._process(history))

    @property
    def contexts(self) -> tuple[Context, ...]:
        """What has a contour of its own."""
        return self._contexts

    def _process(self, history: History) -> Process:
        rows: list[tuple[int, int, int, int]] = []
        scores: list[float] = []
        trials: list[float] = []
        begun = set()
        for point in self._points:  # in the order of the grid, whatever came first
            curve = history.curves.get(point)
            if curve is None:
                continue
            start = replace(
                point, attack=self._points[0].attack
            )  # attacks on one model share its answers at step 0
            skipped = int(self._alike.from_start and start in begun)
            begun.add(start)
            rows += self._places(point)[skipped:]
            scores += curve.value[skipped:]
            trials += [float(curve.n) if curve.n else math.inf] * (len(curve.value) - skipped)
        return fitted(
            self._alike,
            places_of(rows),
            np.array(scores),
            np.array(trials),
            self._search.level,
            len(self._spec.seed),
        )

    def _contours(self, process: Process) -> Contours:
        return contours(process, len(self._contexts), len(self._depths), len(self._steps), self._search.level)

    def _places(self, point: Point) -> list[tuple[int, int, int, int]]:
        context, depth = self._index[_context(point)], self._depths.index(point.depth)
        seed = self._spec.seed.index(point.seed)
        return [(context, depth, step, seed) for step in range(len(self._steps))]

    def _choose(self, process: Process, known: Truths, free: list[Point], history: History) -> list[Point]:
        """The points of one round, in the order in which they were chosen."""
        if not free:
            return []
        before = [*history.found, *history.asked]
        surface = self._surface(known)
        asked = places_of([place for point in free for place in self._places(point)])
        each, there, noise = process.reduction(asked, surface)
        mean = process.mean(surface)
        own = np.diag(process.covariance(surface)).copy()
        steps = len(self._steps)
        chosen: list[int] = []
        for _ in range(min(self._search.round, len(free))):
            spread = np.clip(own, 1e-6, None) + process.smoothness.remainder**2
            weight = np.exp(-0.5 * (mean - self._search.level) ** 2 / spread) / np.sqrt(spread)
            gains = _gains(each, there, noise, weight, steps)
            made = [*before, *(free[index] for index in chosen)]
            prices = self._spending.prices(free, made, history.begun)
            worth = gains / np.array(prices)
            worth[chosen] = -1
            best = int(np.argmax(worth))
            chosen.append(best)
            each, there, own = _given(each, there, own, noise, slice(best * steps, (best + 1) * steps))
        return [free[index] for index in chosen]

    def _surface(self, known: Truths) -> Places:
        """Every depth of the contours that are not known yet."""
        rows = [
            (context, depth, step, -1)
            for context in range(len(self._contexts))
            for step in range(len(self._steps))
            if not known[context, step]
            for depth in range(len(self._depths))
        ]
        return places_of(rows)

    def _reason(self, found: Contours, history: History) -> str:
        if history.curves and (found.half_width <= self._search.tolerance).all():
            return "tolerance"
        taken = {*history.found, *history.asked}
        if all(point in taken for point in self._points):
            return "grid"
        return "" if self.propose(history) else "budget"

    def _how_sure(self, found: Contours, history: History) -> str:
        asked, whole = len(history.asked), len(self._points)
        spent = f"asked {asked} of {whole} trajectories in {len(history.rounds)} rounds"
        if history.found:
            spent += f", and found {len(history.found)} that were published"
        widest = f"the widest band is ±{found.half_width.max():.1f} steps of the grid of depths"
        ends = {
            "tolerance": f"Every contour is known to ±{self._search.tolerance:g} steps of the grid of depths",
            "grid": f"Nothing is left to ask, and {widest}",
            "budget": f"The budget ({in_words(self._search.budget) if self._search.budget else ''}) is spent, "
            f"and {widest}",
            "": f"Not at its end: {widest}",
        }
        return f"{ends[self._reason(found, history)]}; {spent}."

    def _sentences(self, found: Contours) -> list[str]:
        made = []
        last = len(self._steps) - 1
        percent = f"{100 * self._search.level:g}%"
        for index, context in enumerate(self._contexts):
            name = self._name(context)
            low, high = found.low[index], found.high[index]
            if (high <= NOWHERE).all():
                made.append(f"{name}: the attack never reaches {percent}, at no depth and after no steps.")
            elif (low > len(self._depths) - 1).all():
                made.append(f"{name}: {percent} or more at every depth, whatever the steps.")
            else:
                made.append(
                    f"{name}: after {self._steps[last]} steps the attack reaches {percent} "
                    f"{self._words(found.place[index, last])} ({self._band(low[last], high[last])})."
                )
            deep = [steps for step, steps in enumerate(self._steps) if found.fails_below[index, step] >= SURE]
            if deep:
                made.append(
                    f"{name}: not monotone in depth: after {_list(deep)} steps it works at a depth and not at a "
                    "shallower one; the contour is the deepest."
                )
            later = [
                steps for step, steps in enumerate(self._steps) if found.fails_later[index, step] >= SURE
            ]
            if later:
                made.append(
                    f"{name}: not monotone in steps: what works after {_list(later)} is undone by more relearning."
                )
        return made

    def _words(self, place: float) -> str:
        if place <= NOWHERE:
            return "at no depth"
        if place > len(self._depths) - 1:
            return f"at every depth up to {self._depths[-1]}"
        return f"up to depth {at_depth(place, self._depths):.1f}"

    def _band(self, low: float, high: float) -> str:
        words = [
            "none" if place <= NOWHERE else f"{at_depth(min(place, len(self._depths) - 1), self._depths):.1f}"
            for place in (low, high)
        ]
        beyond = " and beyond" if high > len(self._depths) - 1 else ""
        return f"95% band {words[0]} to {words[1]}{beyond}"

    def _name(self, context: Context) -> str:
        model, method, repetitions, attack = context
        parts = [attack, f"r={repetitions}"]
        parts += [method] if len(self._spec.method) > 1 else []
        parts += [model] if len(self._spec.model) > 1 else []
        return ", ".join(parts)

    def _rows(self, found: Contours) -> list[dict[str, Any]]:
        rows = []
        for index, (model, method, repetitions, attack) in enumerate(self._contexts):
            for step, relearn_steps in enumerate(self._steps):
                places = {name: getattr(found, name)[index, step] for name in ("place", "low", "high")}
                depths = {
                    {"place": "depth"}.get(name, f"depth_{name}"): at_depth(place, self._depths)
                    for name, place in places.items()
                }
                rows.append(
                    {
                        "model": model,
                        "method": method,
                        "repetitions": repetitions,
                        "corpus": attack,
                        "relearn_steps": relearn_steps,
                        **depths,
                        "half_width": float(found.half_width[index, step]),
                        "fails_below": float(found.fails_below[index, step]),
                        "fails_later": float(found.fails_later[index, step]),
                    }
                )
        return rows


def _gains(each: Numbers, there: Numbers, noise: Numbers, weight: Numbers, steps: int) -> Numbers:
    """How much of the weighted variance each trajectory would take away."""
    count = len(noise) // steps
    blocks = each.reshape(count, steps, count, steps)[np.arange(count), :, np.arange(count), :]
    blocks = blocks + np.eye(steps) * noise.reshape(count, steps)[:, None, :]
    cross = there.reshape(count, steps, -1)
    solved = np.linalg.solve(blocks, cross)
    return np.asarray(np.einsum("csx,csx,x->c", cross, solved, weight))


def _given(
    each: Numbers, there: Numbers, own: Numbers, noise: Numbers, chosen: slice
) -> tuple[Numbers, Numbers, Numbers]:
    """The covariances once the chosen trajectory is answered, whatever it answers."""
    block = each[chosen, chosen] + np.diag(noise[chosen])
    solved_each = np.linalg.solve(block, each[chosen, :])
    solved_there = np.linalg.solve(block, there[chosen, :])
    with_chosen = each[:, chosen]
    return (
        each - with_chosen @ solved_each,
        there - with_chosen @ solved_there,
        own - np.einsum("sx,sx->x", there[chosen, :], solved_there),
    )


def _context(point: Point) -> Context:
    return (point.model, point.method, point.repetitions, point.attack.label)


def _alike(contexts: tuple[Context, ...], *, from_start: bool) -> Alike:
    models, attacks = (np.ones((len(contexts), len(contexts))) for _ in range(2))
    for row, one in enumerate(contexts):
        for column, other in enumerate(contexts):
            far = abs(math.log2(1 + one[2]) - math.log2(1 + other[2]))
            models[row, column] = (
                math.exp(-0.5 * far)
                * (1 if one[0] == other[0] else OTHER_MODEL)
                * (1 if one[1] == other[1] else OTHER_METHOD)
            )
            attacks[row, column] = one[3] == other[3]
    return Alike(models, attacks, OTHER_ATTACK, from_start)


def _list(values: list[int]) -> str:
    return ", ".join(map(str, values))
