"""What a step and an evaluation take, from what was measured: by what is trained, how, and on how much text.

Stages are alike where kind, method and adapter are: a group. A group's steps cost what they took; on longer texts or
larger batches they cost more, by one straight line through all groups that says how seconds grow with text. An
evaluation costs by its probes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from study.provenance import characters_of_a_step
from study.stages import Evaluation, Node, Trajectory

Group = tuple[str, str, bool]
"""Kind, method and whether an adapter is trained."""


@dataclass(frozen=True)
class _Measured:
    """``size`` is in characters a step, None where the record does not say."""

    group: Group
    size: float | None
    steps: int
    seconds: float


class Prices:
    """Adds up what was measured, and says what something similar will take."""

    def __init__(self) -> None:
        self._trained: dict[str, _Measured] = {}
        self._asked: dict[str, list[float]] = {}
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
        before = self._trained.get(key)
        if steps and (before is None or before.steps < steps):
            size = description.get("characters")
            self._trained[key] = _Measured(_group(description), size, steps, seconds)

    def asked(self, kind: str, probes: int, seconds: float) -> None:
        """One evaluation of so many probes."""
        if probes:
            self._asked.setdefault(kind, []).append(seconds / probes)

    def step_seconds(self, node: Trajectory) -> float:
        """Of one optimiser step; of what is unlike anything measured, what all groups take in the mean."""
        method = str(getattr(node.method, "name", ""))
        group = (node.kind, method, node.optimiser.lora is not None)
        alike = [one for one in self._trained.values() if one.group == group] or list(self._trained.values())
        steps = sum(one.steps for one in alike)
        if not steps:
            return 0.0
        seconds = sum(one.seconds for one in alike) / steps
        sized = [one for one in alike if one.size is not None]
        if not sized:
            return seconds
        size = sum((one.size or 0.0) * one.steps for one in sized) / sum(one.steps for one in sized)
        fixed, each = self._line()
        there = fixed + each * size
        return seconds * (fixed + each * characters_of_a_step(node)) / there if there else seconds

    def evaluation_seconds(self, kind: str, evaluation: Evaluation) -> float:
        """Of asking one checkpoint, where possible as of a stage of its kind."""
        found = self._asked.get(kind) or [each for taken in self._asked.values() for each in taken]
        return sum(found) / len(found) * len(evaluation.probes.probes) if found else 0.0

    def _line(self) -> tuple[float, float]:
        """Seconds of a step = fixed + each × characters, by least squares weighted by steps; neither below 0."""
        points = [
            (one.size, one.seconds / one.steps, one.steps)
            for one in self._trained.values()
            if one.size is not None
        ]
        weight = sum(steps for _, _, steps in points)
        if not weight:
            return 1.0, 0.0
        x = sum(size * steps for size, _, steps in points) / weight
        y = sum(seconds * steps for _, seconds, steps in points) / weight
        spread = sum(steps * (size - x) ** 2 for size, _, steps in points)
        if not spread:
            return y, 0.0
        slope = sum(steps * (size - x) * (seconds - y) for size, seconds, steps in points) / spread
        each = max(0.0, slope)
        if y < each * x:  # the line would say that a step on nothing takes less than nothing
            return 0.0, y / x
        return y - each * x, each


def prices_of_records(records: Iterable[Mapping[str, Any]]) -> Prices:
    """What the records of published artifacts say."""
    prices = Prices()
    for record in records:
        facts, description = record.get("facts", {}), record.get("stage", {})
        if "kind" not in description or "train_steps" not in facts:
            continue
        key = str(record["address"]).partition("@")[0]
        prices.trained(key, description, int(facts["train_steps"]), float(facts["train_seconds"]))
        if "evaluation_seconds" in facts:
            prices.asked(description["kind"], int(facts["probes"]), float(facts["evaluation_seconds"]))
        if record.get("start_up_seconds") is not None:
            prices.started(float(record["start_up_seconds"]))
    return prices


def _group(description: Mapping[str, Any]) -> Group:
    method = description.get("method") or {}
    adapter = (description.get("optimiser") or {}).get("lora") is not None
    return str(description["kind"]), str(method.get("name", "")), adapter


def seconds_of(prices: Prices, node: Node, steps: int, evaluations: Iterable[Evaluation]) -> float:
    """What a stage will take that has so many steps and these evaluations to do."""
    training = steps * prices.step_seconds(node) if isinstance(node, Trajectory) and steps else 0.0
    return training + sum(prices.evaluation_seconds(node.kind, one) for one in evaluations)
