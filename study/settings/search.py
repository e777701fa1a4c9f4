"""What a search is asked: which question, of which metric, how sure, and what it may cost."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from study.settings.part import Part


class Budget(Part):
    """What a search may spend, of one kind; it stops before the round that would go over it.

    Attributes:
        trajectories: relearnings.
        steps: optimiser steps, of the relearnings and of all that they start from.
        hours: of computing, all stages added up, however many ran at once.
    """

    trajectories: PositiveInt | None = None
    steps: PositiveInt | None = None
    hours: PositiveFloat | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Budget":
        if [self.trajectories, self.steps, self.hours].count(None) != 2:
            raise ValueError("expected one of trajectories=…, steps=…, hours=…")
        return self


class Search(Part):
    """An adaptive study.

    Attributes:
        question: ``frontier``: where does the attack begin to work, over depth and steps? ``cheapest``: which
            attacks that work are not beaten in everything by another?
        metric: the score of a cell; None: the scenario's headline.
        level: the score from which an attack works.
        tolerance: how exactly the answer has to be known, in steps of the grid (of depths for the frontier).
        round: trajectories that are asked for at a time.
        seed: of what is drawn, as the first round.
        budget: where to stop at the latest.
    """

    question: Literal["frontier", "cheapest"]
    metric: str | None = None
    level: float = Field(default=0.5, gt=0)
    tolerance: PositiveFloat = 1.0
    round: PositiveInt = 8
    seed: NonNegativeInt = 0
    budget: Budget | None = None
