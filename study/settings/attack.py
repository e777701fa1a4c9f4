"""Attacks: which corpus is relearned, how much of it, at what rate and rank; and what a study may vary of that.

A listed value is a point of the grid like any other. A range is for a search alone: a grid of it would have no end.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import PositiveFloat, PositiveInt, field_validator, model_validator

from study.errors import SpecError
from study.settings.optimiser import LoRA, Optimiser
from study.settings.part import Part
from study.text.examples import Corpus


class Interval(Part):
    """Any number from ``low`` to ``high``; with ``log``, as many between 1 and 10 as between 10 and 100."""

    low: PositiveFloat
    high: PositiveFloat
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Interval":
        if self.low >= self.high:
            raise ValueError(f"low {self.low} to high {self.high}: expected low below high")
        return self


class Integers(Part):
    """Any whole number from ``low`` to ``high``, both included."""

    low: PositiveInt
    high: PositiveInt
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> "Integers":
        if self.low >= self.high:
            raise ValueError(f"low {self.low} to high {self.high}: expected low below high")
        return self


class Vary(Part):
    """What of the relearning varies beside the corpus: listed values, or a range. None: as the spec has it.

    Attributes:
        learning_rate: of the relearning, instead of ``relearn.learning_rate``.
        rank: of a LoRA that relearns; its ``alpha`` keeps the ratio to the rank that the spec has (2 without one).
        fraction: of the corpus's examples, over 0 to 1; see ``Attack.part``.
    """

    learning_rate: Interval | tuple[PositiveFloat, ...] | None = None
    rank: Integers | tuple[PositiveInt, ...] | None = None
    fraction: Interval | tuple[PositiveFloat, ...] | None = None

    @field_validator("learning_rate", "rank", "fraction", mode="before")
    @classmethod
    def _one_value_is_an_axis_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, int | float) else value

    @field_validator("learning_rate", "rank", "fraction")
    @classmethod
    def _values_each_once(cls, value: Any) -> Any:
        if isinstance(value, tuple) and (not value or len(set(value)) < len(value)):
            raise ValueError(f"expected at least one value, and each once, got {list(value)}")
        return value

    @field_validator("fraction")
    @classmethod
    def _no_more_than_all(cls, value: Any) -> Any:
        most = value.high if isinstance(value, Interval) else max(value or (1,))
        if most > 1:
            raise ValueError(f"{most} of a corpus: expected at most 1, which is all of it")
        return value

    @property
    def ranges(self) -> dict[str, Interval | Integers]:
        """The axes that have no list of values."""
        axes = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: axis for name, axis in axes.items() if isinstance(axis, Interval | Integers)}

    def listed(self, corpora: tuple[str, ...]) -> Iterator["Attack"]:
        """Every combination of the listed values.

        Raises:
            SpecError: an axis is a range.
        """
        for name, axis in self.ranges.items():
            raise SpecError(
                f"vary.{name}: a grid cannot hold everything from {axis.low} to {axis.high}; list the values "
                f"(--set 'vary.{name}=[{axis.low}, {axis.high}]'), or let a search choose them (--search cheapest)"
            )
        axes = [getattr(self, name) or (None,) for name in ("learning_rate", "rank", "fraction")]
        for corpus, rate, rank, fraction in product(corpora, *axes):
            yield Attack(corpus, rate, rank, fraction)


@dataclass(frozen=True)
class Attack:
    """One way to relearn. What is None is as the spec has it."""

    corpus: str
    learning_rate: float | None = None
    rank: int | None = None
    fraction: float | None = None

    @property
    def label(self) -> str:
        """What stands in the rows as ``corpus``: the name, and in brackets what differs from the spec."""
        given = {"fraction": self.fraction, "learning_rate": self.learning_rate, "rank": self.rank}
        rest = ",".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
        return f"{self.corpus}({rest})" if rest else self.corpus

    def optimiser(self, given: Optimiser) -> Optimiser:
        """The spec's optimiser of the relearning, with this attack's rate and rank."""
        changes: dict[str, Any] = {}
        if self.learning_rate is not None:
            changes["learning_rate"] = self.learning_rate
        if self.rank is not None:
            lora = given.lora or LoRA()
            alpha = max(1, round(lora.alpha / lora.rank * self.rank))
            changes["lora"] = lora.model_copy(update={"rank": self.rank, "alpha": alpha})
        return given.model_copy(update=changes) if changes else given

    def part(self, corpus: Corpus) -> Corpus:
        """The examples it takes of a corpus, in the corpus's own order.

        Which they are is decided by their texts alone, so a smaller part lies within every larger one; at
        least one is taken, and an example is never cut.
        """
        if self.fraction is None or self.fraction == 1 or not len(corpus):
            return corpus
        count = max(1, math.ceil(self.fraction * len(corpus) - 1e-9))
        order = sorted(
            range(len(corpus)),
            key=lambda index: (hashlib.sha256(corpus.examples[index].text.encode()).hexdigest(), index),
        )
        return Corpus(tuple(corpus.examples[index] for index in sorted(order[:count])))
