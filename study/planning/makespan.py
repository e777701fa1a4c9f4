"""How long a tree of stages takes on some slots: the searcher's own rule, played through with known durations."""

import heapq
from collections.abc import Mapping

from study.planning.plan import Plan


def makespan(plan: Plan, seconds: Mapping[str, float], slots: int) -> float:
    """Wall seconds until the last stage ends.

    A free slot takes, of the stages whose parents are done, the one with the most work waiting behind it, as
    ``cluster.ray_tune.ready_stages`` does; a stage that ``seconds`` leaves out is done already.
    """
    waiting = {
        key: sum(parent.of.key in seconds for parent in plan.stages[key].parents)
        for key in plan.stages
        if key in seconds
    }
    order = {key: index for index, key in enumerate(plan.stages)}
    ready = [(-plan.work_behind[key], order[key], key) for key, count in waiting.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < slots:
            _, _, key = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[key], order[key], key))
        now, _, ended = heapq.heappop(running)
        for child in plan.children[ended]:
            if child in waiting:
                waiting[child] -= 1
                if not waiting[child]:
                    heapq.heappush(ready, (-plan.work_behind[child], order[child], child))
    return now
