"""The ready stages of a plan as a Ray Tune searcher: a stage is suggested once its parents are published.

Tune knows no dependencies between trials. A searcher may answer ``None`` while everything ready is running, and that
is enough: ``suggest`` returns ready stages, the one with the most work waiting behind it first;
``on_trial_complete`` makes the children ready, or marks the descendants of a failed stage unreachable while the rest
goes on. It keeps no state on disk: the store is the truth, and each run begins with what the store lacks.
"""

import heapq
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ray.tune.search import Searcher

from study.planning.plan import Plan

Finished = Callable[[str, Mapping[str, Any] | None], None]


class ReadyStages(Searcher):
    """See the module's text.

    Attributes:
        running: keys of the stages that were suggested and have not ended.
        done, failed, unreachable: stage keys, disjoint.
        broken_by: what ``finished`` raised; the run drains, and the driver raises it.
    """

    def __init__(self, plan: Plan, done: Collection[str], finished: Finished) -> None:
        """Args: what to run, the stages that are published, and what to call when one ends.

        ``finished`` gets the stage's key and its result, None where the trial was lost.
        """
        super().__init__(metric=None, mode=None)
        self.running: set[str] = set()
        self.done: set[str] = set(done)
        self.failed: set[str] = set()
        self.unreachable: set[str] = set()
        self.broken_by: Exception | None = None
        self._plan = plan
        self._finished = finished
        self._draining = False
        self._at_once = plan.spec.most_at_once
        self._trials: dict[str, str] = {}
        self._ready: list[tuple[int, int, str]] = []
        self._order = {key: index for index, key in enumerate(plan.stages)}
        for key in plan.stages:
            self._push_if_ready(key)

    def drain(self) -> None:
        """Suggests nothing more; what runs is finished."""
        self._draining = True

    @property
    def remaining(self) -> list[str]:
        """Stages that are neither done nor failed nor unreachable."""
        settled = self.done | self.failed | self.unreachable
        return [key for key in self._plan.stages if key not in settled]

    def suggest(  # type: ignore[override]  # Ray documents FINISHED, a string, and does not declare it
        self, trial_id: str
    ) -> dict[str, Any] | str | None:
        """The next stage as a trial's configuration; None: wait; FINISHED: no more will come."""
        if self._draining or not (self._ready or self.running):
            return Searcher.FINISHED
        if not self._ready or len(self.running) >= self._at_once:
            return None
        _, _, key = heapq.heappop(self._ready)
        self.running.add(key)
        self._trials[trial_id] = key
        return {"stage": key, "kind": self._plan.stages[key].kind}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial ended; ``error`` means that it was lost for good, after its retries."""
        key = self._trials.pop(trial_id, None)
        if key is None:
            return
        self.running.discard(key)
        if error or result is None or result.get("cause"):
            self.failed.add(key)
            self.unreachable.update(self._plan.descendants(key))
        else:
            self.done.add(key)
            for child in self._plan.children[key]:
                self._push_if_ready(child)
        try:
            self._finished(key, None if error else result)
        except Exception as problem:
            # Tune would take this for a fault of the trial and run the stage again.
            self.broken_by = problem
            self.drain()

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune pickles its searcher into its own folder, from which nobody reads."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Never: a study resumes by a new run over the store."""
        raise RuntimeError("Tune's restore is not used: `relearn resume` runs what the store lacks")

    def _push_if_ready(self, key: str) -> None:
        parents = self._plan.stages[key].parents
        if key not in self.done and all(parent.of.key in self.done for parent in parents):
            heapq.heappush(self._ready, (-self._plan.work_behind[key], self._order[key], key))
