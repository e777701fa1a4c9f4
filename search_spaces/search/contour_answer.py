"""What the search for the contour says: sentences for each context, how it ended, a row for each contour."""

from collections.abc import Sequence
from typing import Any

from search_spaces.search.budget import in_words
from search_spaces.search.contour_estimate import NOWHERE, Context, Contours, at_depth
from study.errors import counted
from study.planning.proposer import History
from study.results.attack_words import attack_words
from study.settings.search import Search
from study.spec import StudySpec

SURE = 0.95
"""From this probability on a contour is called not monotone."""


def contour_sentences(spec: StudySpec, contexts: Sequence[Context], found: Contours) -> list[str]:
    """For each context: how deep the attack works after the most steps, and where more depth or steps undo it."""
    made = []
    depths, steps = tuple(sorted(spec.depth)), tuple(sorted(spec.relearn_steps))
    percent = f"{100 * spec.search.level:g}%" if spec.search else ""
    never = []
    for index, context in enumerate(contexts):
        name = _name(spec, context)
        low, high = found.low[index], found.high[index]
        if (high <= NOWHERE).all():
            never.append(name)
        elif (low > len(depths) - 1).all():
            made.append(f"{name}: {percent} or more at every depth, whatever the steps.")
        else:
            made.append(
                f"{name}: after {counted(steps[-1], 'step')} the attack reaches {percent} "
                f"{_place(found.place[index, -1], depths)}{_band(low[-1], high[-1], depths)}."
            )
        deep = [each for step, each in enumerate(steps) if found.fails_below[index, step] >= SURE]
        if deep:
            made.append(
                f"{name}: not monotone in depth: after {_list(deep)} steps it works at a depth and not at a "
                "shallower one; the contour is the deepest."
            )
        later = [each for step, each in enumerate(steps) if found.fails_later[index, step] >= SURE]
        if later:
            made.append(
                f"{name}: not monotone in steps: what works after {_list(later)} is undone by more relearning."
            )
    if never:
        made.append(
            f"The attack reaches {percent} at no depth, after any number of steps: {'; '.join(never)}."
        )
    return made


def end_sentence(search: Search, reason: str, found: Contours, history: History, points: int) -> str:
    """Why nothing more is asked, how well the contours are known, and how many of the points were asked."""
    spent = f"asked {len(history.asked)} of {points} trajectories in {counted(len(history.rounds), 'round')}"
    if history.found:
        spent += f", and found {len(history.found)} that were published"
    widest = f"the widest band is ±{found.half_width.max():.1f} steps of the grid of depths"
    ends = {
        "tolerance": f"Every contour is known to ±{counted(search.tolerance, 'step')} of the grid of depths",
        "grid": f"Nothing is left to ask, and {widest}",
        "budget": f"The budget ({in_words(search.budget) if search.budget else ''}) is spent, and {widest}",
        "": f"Not at its end: {widest}",
    }
    return f"{ends[reason]}; {spent}."


def contour_rows(spec: StudySpec, contexts: Sequence[Context], found: Contours) -> list[dict[str, Any]]:
    """A row for each context and number of steps; ``depth`` is 0 at no depth, and infinite at every depth."""
    depths = tuple(sorted(spec.depth))
    rows = []
    for index, (model, method, repetitions, attack) in enumerate(contexts):
        for step, relearn_steps in enumerate(sorted(spec.relearn_steps)):
            rows.append(
                {
                    "model": model,
                    "method": method,
                    "repetitions": repetitions,
                    "corpus": attack,
                    "relearn_steps": relearn_steps,
                    "depth": at_depth(found.place[index, step], depths),
                    "depth_low": at_depth(found.low[index, step], depths),
                    "depth_high": at_depth(found.high[index, step], depths),
                    "half_width": float(found.half_width[index, step]),
                    "fails_below": float(found.fails_below[index, step]),
                    "fails_later": float(found.fails_later[index, step]),
                }
            )
    return rows


def _place(place: float, depths: Sequence[int]) -> str:
    if place <= NOWHERE:
        return "at no depth"
    if place > len(depths) - 1:
        return f"at every depth up to {depths[-1]}"
    return f"up to depth {at_depth(place, depths):.1f}"


def _band(low: float, high: float, depths: Sequence[int]) -> str:
    """In brackets; empty where the whole band lies at no depth."""
    if high <= NOWHERE:
        return ""
    words = [
        "no depth" if place <= NOWHERE else f"{at_depth(min(place, len(depths) - 1), depths):.1f}"
        for place in (low, high)
    ]
    beyond = " and beyond" if high > len(depths) - 1 else ""
    return f" (95% band {words[0]} to {words[1]}{beyond})"


def _name(spec: StudySpec, context: Context) -> str:
    model, method, repetitions, attack = context
    parts = [attack_words(attack), f"r = {repetitions}"]
    parts += [method] if len(spec.method) > 1 else []
    parts += [model] if len(spec.model) > 1 else []
    return ", ".join(parts)


def _list(values: list[int]) -> str:
    return ", ".join(map(str, values))
