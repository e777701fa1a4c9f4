"""What a step and an evaluation take, from what was measured: by what is trained, how, and on how much text.

Stages are alike where kind, method and adapter are: a group, and most alike where they train on the same data too.
Their steps cost what they took; on longer texts or larger batches they cost more, by one straight line through all
groups that says how seconds grow with text. That is in characters, since not everybody who asks has a tokenizer:
gibberish takes four times as many tokens for them as names do, and is known only when some of it was measured. An
evaluation costs by its probes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from study.planning.stages import Evaluation, Node, Trajectory, characters_of_a_step

Group = tuple[str, str, bool]
"""Kind, method and whether an adapter is trained."""
SAME = 1e-9
"""Texts whose lengths vary by no more than this part of their squares are of one length, but for rounding."""


class _Sums(NamedTuple):
    """Over trajectories: optimiser steps and their seconds, of all and of those whose text is known; and, of these, the
    moments of the text (characters a step) that a straight line through them needs, each weighted by steps.
    """

    steps: float = 0.0
    seconds: float = 0.0
    sized_steps: float = 0.0
    sized_seconds: float = 0.0
    size: float = 0.0
    size_squared: float = 0.0
    size_by_seconds: float = 0.0

    def plus(self, other: "_Sums", sign: int = 1) -> "_Sums":
        return _Sums(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


class StepTimes:
    """Adds up what was measured, and says what something similar will take.

    Sums are kept and no list is gone through, as a driver asks for thousands of stages at once, and from another
    thread than the one that measures.
    """

    def __init__(self) -> None:
        self._trained: dict[str, _Sums] = {}
        self._by_group: dict[Group, _Sums] = {}
        self._by_data: dict[tuple[Group, str], _Sums] = {}
        self._all = _Sums()
        self._asked: dict[str, tuple[float, int]] = {}
        self._asked_at_all = (0.0, 0)
        self._starts: list[float] = []

    @property
    def known(self) -> bool:
        """Whether anything was measured."""
        return bool(self._trained or self._asked)

    @property
    def start_up_seconds(self) -> float:
        """From the command to the first stage, the shortest measured: a worker may come later, or come again."""
        return min(self._starts, default=0.0)

    def started(self, seconds: float) -> None:
        """A worker began its first stage so long after the command."""
        self._starts.append(seconds)

    def trained(self, key: str, description: Mapping[str, Any], steps: int, seconds: float) -> None:
        """A trajectory took so long to come so far; of several reports of one, the furthest counts."""
        before = self._trained.get(key, _Sums())
        if steps <= before.steps:
            return
        group, data = _group(description), str(description.get("data"))
        now = _sums(description.get("characters"), steps, seconds)
        self._trained[key] = now
        change = now.plus(before, -1)
        self._by_group[group] = self._by_group.get(group, _Sums()).plus(change)
        self._by_data[group, data] = self._by_data.get((group, data), _Sums()).plus(change)
        self._all = self._all.plus(change)

    def asked(self, kind: str, probes: int, seconds: float) -> None:
        """One evaluation of so many probes."""
        if probes:
            self._asked[kind] = _and_one(self._asked.get(kind, (0.0, 0)), seconds / probes)
            self._asked_at_all = _and_one(self._asked_at_all, seconds / probes)

    def step_seconds(self, node: Trajectory) -> float:
        """Of one optimiser step; of what is unlike anything measured, what all groups take in the mean."""
        group = node.kind, str(getattr(node.method, "name", "")), node.optimiser.lora is not None
        alike = self._by_data.get((group, node.data.digest)) or self._by_group.get(group, self._all)
        if not alike.steps:
            return 0.0
        seconds = alike.seconds / alike.steps
        if not alike.sized_steps:
            return seconds
        fixed, each = self._line()
        there = fixed + each * alike.size / alike.sized_steps
        return seconds * (fixed + each * characters_of_a_step(node)) / there if there else seconds

    def evaluation_seconds(self, kind: str, evaluation: Evaluation) -> float:
        """Of asking one checkpoint, where possible as of a stage of its kind."""
        total, times = self._asked.get(kind, self._asked_at_all)
        return total / times * len(evaluation.probes.probes) if times else 0.0

    def _line(self) -> tuple[float, float]:
        """Seconds of a step = fixed + each × characters, by least squares weighted by steps; neither below 0."""
        every = self._all
        weight = every.sized_steps
        if not weight:
            return 1.0, 0.0
        x, y = every.size / weight, every.sized_seconds / weight
        spread = every.size_squared - weight * x**2
        if spread <= SAME * every.size_squared:
            return y, 0.0
        each = max(0.0, (every.size_by_seconds - weight * x * y) / spread)
        if y < each * x:  # the line would say that a step on nothing takes less than nothing
            return 0.0, y / x
        return y - each * x, each


def _sums(size: float | None, steps: int, seconds: float) -> _Sums:
    """Of one trajectory, on so many characters a step; None where its record does not say."""
    if size is None:
        return _Sums(steps, seconds)
    return _Sums(steps, seconds, steps, seconds, size * steps, size**2 * steps, size * seconds)


def _and_one(before: tuple[float, int], seconds: float) -> tuple[float, int]:
    return before[0] + seconds, before[1] + 1


def step_times_of_records(records: Iterable[Mapping[str, Any]]) -> StepTimes:
    """What the records of published artifacts say."""
    step_times = StepTimes()
    for record in records:
        facts, description = record.get("facts", {}), record.get("stage", {})
        if "kind" not in description or "train_steps" not in facts:
            continue
        key = str(record["address"]).partition("@")[0]
        step_times.trained(key, description, int(facts["train_steps"]), float(facts["train_seconds"]))
        if "evaluation_seconds" in facts:
            step_times.asked(description["kind"], int(facts["probes"]), float(facts["evaluation_seconds"]))
        if record.get("start_up_seconds") is not None:
            step_times.started(float(record["start_up_seconds"]))
    return step_times


def _group(description: Mapping[str, Any]) -> Group:
    method = description.get("method") or {}
    adapter = (description.get("optimiser") or {}).get("lora") is not None
    return str(description["kind"]), str(method.get("name", "")), adapter


def seconds_of(step_times: StepTimes, node: Node, steps: int, evaluations: Iterable[Evaluation]) -> float:
    """What a stage will take that has so many steps and these evaluations to do."""
    training = steps * step_times.step_seconds(node) if isinstance(node, Trajectory) and steps else 0.0
    return training + sum(step_times.evaluation_seconds(node.kind, one) for one in evaluations)
