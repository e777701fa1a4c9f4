"""Points: the trajectories that a study may ask for, and who says which are asked next.

A point is one relearning; all its steps come with it, so it is the unit in which a study spends. A grid is the
proposer that asks for every point at once. A search asks in rounds: what a round asks is a function of the spec
and of what the rounds before it brought, never of the order in which answers came, so that an interrupted search
goes on as if nothing had been.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from study.settings.attack import Attack
from study.spec import StudySpec, method_label

NO_METHOD = "none"


@dataclass(frozen=True)
class Point:
    """One relearning trajectory: where it starts from, and how it attacks.

    ``method`` is as in the rows; it is ``none`` and ``depth`` 0 where nothing was unlearned. A model that never learned
    may be unlearned too: it is the matched control of the unlearned model with the same method and depth.
    """

    model: str
    method: str
    start: str
    repetitions: int
    depth: int
    attack: Attack
    seed: int

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> "Point":
        """From plain data, as ``asdict`` makes it."""
        return cls(**{**fields, "attack": Attack(**fields["attack"])})

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Curve:
    """What one trajectory answered under one metric: ``value`` at each of ``steps``; k and n where it counts."""

    steps: tuple[int, ...]
    value: tuple[float, ...]
    n: int | None


@dataclass(frozen=True)
class History:
    """What is known when the next round is proposed.

    Attributes:
        found: points that were published before the study began.
        begun: points of which at least the start was, the model that they relearn.
        rounds: the points of each round so far, in the order in which they were asked.
        curves: what each of them answered; a point that failed has none.
        seconds: of all stages that the rounds took, whichever machine took them.
    """

    found: tuple[Point, ...] = ()
    begun: tuple[Point, ...] = ()
    rounds: tuple[tuple[Point, ...], ...] = ()
    curves: Mapping[Point, Curve] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def asked(self) -> tuple[Point, ...]:
        """All points of all rounds."""
        return tuple(point for points in self.rounds for point in points)


@dataclass(frozen=True)
class Answer:
    """What a search says when it ends, or meanwhile.

    Attributes:
        sentences: for a person.
        reason: why nothing more is asked; empty while something is.
        tables: name → rows, as plain data.
    """

    sentences: tuple[str, ...]
    reason: str
    tables: Mapping[str, list[dict[str, Any]]]


class Proposer(Protocol):
    """Says what a study asks for next."""

    def candidates(self) -> tuple[Point, ...]:
        """Points worth looking for in the store before anything is asked; none where nobody can list them."""
        ...

    def propose(self, history: History) -> tuple[Point, ...]:
        """The next round: points that were neither found nor asked; none: the study is at its end."""
        ...

    def answer(self, history: History) -> Answer | None:
        """What can be said now; None where the rows are the answer."""
        ...


class Grid:
    """Proposes everything once."""

    def __init__(self, spec: StudySpec) -> None:
        self._points = tuple(grid_points(spec))

    def candidates(self) -> tuple[Point, ...]:
        """None: what is published needs no asking, and the driver finds it by itself."""
        return ()

    def propose(self, history: History) -> tuple[Point, ...]:
        """All points, the first time."""
        return () if history.rounds else self._points

    def answer(self, history: History) -> None:
        """The rows are the answer."""


def grid_points(spec: StudySpec) -> Iterator[Point]:
    """Every point of a spec's axes, in the order of the axes.

    Raises:
        SpecError: an axis is a range.
    """
    attacks = list(spec.vary.listed(spec.corpus))
    for model in spec.model:
        for seed in spec.seed:
            for count in spec.repetitions:
                for start, method, depth in origins(spec):
                    for attack in attacks:
                        yield Point(model, method, start, count, depth, attack, seed)


def origins(spec: StudySpec) -> Iterator[tuple[str, str, int]]:
    """Start, method and depth of every model that is relearned."""
    if spec.checkpoints is not None and "unlearned" in spec.start:
        yield from (("unlearned", spec.checkpoints.method, depth) for depth in spec.depth)
    for start in spec.start:
        depths = _depths(spec, start)
        if 0 in depths:
            yield start, NO_METHOD, 0
        for method in spec.method:
            yield from ((start, method_label(method), depth) for depth in depths if depth)


def _depths(spec: StudySpec, start: str) -> tuple[int, ...]:
    """How deep the models of a start are unlearned here; 0 is not at all."""
    if start == "unlearned":
        return spec.depth if spec.checkpoints is None else ()
    return spec.control_depth if start == "never_learned" else (0,)


def asked_rows(history: History) -> list[dict[str, Any]]:
    """A row per trajectory, in the order in which they were asked; those found are of round 0."""
    rows: list[dict[str, Any]] = []
    for number, points in [(0, history.found), *enumerate(history.rounds, start=1)]:
        for point in points:
            fields = point.as_dict()
            fields["corpus"] = point.attack.label
            del fields["attack"]
            answered = point in history.curves
            rows.append({"round": number, "order": len(rows) + 1, **fields, "answered": answered})
    return rows
