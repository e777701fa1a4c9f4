"""What the search for Pareto-optimal attacks says: a sentence for each front, and a row for each attack on it."""

from typing import Any

from search_spaces.search.attack_space import COSTS, LESS_SUCCESS, Tried
from search_spaces.search.budget import in_words
from study.errors import counted
from study.planning.proposer import History
from study.results.attack_words import attack_words
from study.settings.search import Search
from study.spec import StudySpec

Target = tuple[str, str, int, int]
"""Model, method, repetitions, depth: what is attacked."""


def front_sentence(spec: StudySpec, target: Target, found: list[Tried]) -> str:
    """How many attacks are on the front of a target, and the one with the fewest steps."""
    model, method, repetitions, depth = target
    name = f"r = {repetitions}, depth {depth}"
    name += f", {method}" if len(spec.method) > 1 else ""
    name += f", {model}" if len(spec.model) > 1 else ""
    percent = f"{100 * spec.search.level:g}%" if spec.search else ""
    if not found:
        return f"{name}: no attack that was tried reaches {percent}."
    first = min(found, key=lambda each: each.costs)
    reach = "attack reaches" if len(found) == 1 else "attacks reach"
    them = "it" if len(found) == 1 else "them; of the fewest steps"
    return (
        f"{name}: {len(found)} {reach} {percent} and no other that was tried dominates {them}: "
        f"{attack_words(first.attack.label)} after {counted(first.relearn_steps, 'step')}, "
        f"{100 * first.success:.0f}%{_spread(spec, first)}."
    )


def end_sentence(search: Search, reason: str, history: History, quiet: int) -> str:
    """Why nothing more is asked, and how many trajectories were."""
    steps = f"{counted(search.tolerance, 'step')} of the grid"
    points = f"{100 * LESS_SUCCESS:g} points"
    budget = (
        f"The budget of {in_words(search.budget)} is spent" if search.budget else "Nothing new is proposed"
    )
    ends = {
        "tolerance": f"The last {quiet} attacks on each model changed no front by more than {steps} or {points}",
        "grid": "Nothing is left to ask",
        "budget": budget,
        "": "Not at its end",
    }
    asked, rounds = counted(len(history.asked), "trajectory"), counted(len(history.rounds), "round")
    return (
        f"{ends[reason]}; asked {asked} in {rounds}. "
        "An attack that was not tried may still dominate one that is named."
    )


def front_row(target: Target, tried: Tried) -> dict[str, Any]:
    """An attack of a front, with the coordinates of its target, its costs and its success."""
    model, method, repetitions, depth = target
    return {
        "model": model,
        "method": method,
        "repetitions": repetitions,
        "depth": depth,
        "corpus": tried.attack.label,
        **dict(zip(COSTS, tried.costs, strict=True)),
        "success": tried.success,
        "lowest": tried.lowest,
        "highest": tried.highest,
        "seeds": tried.seeds,
    }


def _spread(spec: StudySpec, tried: Tried) -> str:
    """How much the seeds differ, in brackets; empty where the study has one."""
    if len(spec.seed) == 1:
        return ""
    seeds = f"{tried.seeds} of {len(spec.seed)} seeds"
    return (
        f" ({100 * tried.lowest:.0f} to {100 * tried.highest:.0f}% in {seeds})"
        if tried.seeds > 1
        else f" (in {seeds})"
    )
