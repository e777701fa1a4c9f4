"""Searches over answers that are known beforehand: those of a computed grid, or of a formula."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from search_spaces.loading import load_space
from study.planning.proposer import Curve, History, Point, Proposer
from study.spec import StudySpec

Answers = Callable[[Point, int], float]


def curve(point: Point, steps: Iterable[int], answers: Answers) -> Curve:
    steps = tuple(steps)
    return Curve(steps, tuple(answers(point, step) for step in steps), 100)


def search_through(
    proposer: Proposer, steps: Iterable[int], answers: Answers, limit: int = 60
) -> list[History]:
    """The history before each round, the last of them that of the end."""
    steps = tuple(steps)
    rounds: list[tuple[Point, ...]] = []
    histories = [History()]
    while points := proposer.propose(histories[-1]):
        assert len(rounds) < limit, "the search does not end"
        rounds.append(points)
        known = {point: curve(point, steps, answers) for asked in rounds for point in asked}
        histories.append(History(rounds=tuple(rounds), curves=known))
    return histories


@pytest.fixture
def searching() -> Callable[..., StudySpec]:
    """``searching("frontier", budget={…}, depth=[…])``: a small names study with a search."""

    def make(
        question: str, /, budget: Any = None, tolerance: float = 1.0, draw: int = 0, **axes: Any
    ) -> StudySpec:
        axes = {"repetitions": [7, 1], "depth": [6, 7, 8, 10, 12], "corpus": ["prefix"], **axes}
        spec = load_space(
            "names", ["start=[unlearned]", *(f"{name}={value}" for name, value in axes.items())]
        )
        fields = spec.model_dump(mode="json")
        fields["search"] = {"question": question, "tolerance": tolerance, "seed": draw, "budget": budget}
        return StudySpec.model_validate(fields)

    return make
