"""The frontier by itself: order, unlocking, failure, draining. Ray is in test_run."""

import pytest
from ray.tune.search import Searcher

from cluster.ray_tune.ready_stages import Frontier

GRID = {"depth": [1, 2], "corpus": ["prefix", "retain"], "relearn_steps": [0, 1], "repetitions": [7, 1]}
OK = {"cause": None, "seconds": 1.0}


def run(frontier: Frontier, slots: int, fail=lambda key: False) -> list[str]:
    """Plays Tune: keeps ``slots`` trials running, ends the oldest; the order in which stages started."""
    started, running, trial = [], [], 0
    while True:
        while len(running) < slots:
            suggestion = frontier.suggest(str(trial))
            if suggestion is None or suggestion == Searcher.FINISHED:
                break
            started.append(suggestion["stage"])
            running.append((str(trial), suggestion["stage"]))
            trial += 1
        if not running:
            assert suggestion == Searcher.FINISHED
            return started
        name, key = running.pop(0)
        frontier.on_trial_complete(name, {"cause": "diverged", "message": ""} if fail(key) else OK)


@pytest.mark.parametrize("slots", [1, 2, 50])
def test_every_stage_once_and_parents_first(planned, slots: int) -> None:
    plan = planned(**GRID)
    finished: list[str] = []
    frontier = Frontier(plan, [], lambda key, result: finished.append(key))
    started = run(frontier, slots)
    assert sorted(started) == sorted(plan.stages)
    for key in started:
        for parent in plan.stages[key].parents:
            assert finished.index(parent.of.key) < finished.index(key)
            assert slots > 1 or started.index(parent.of.key) < started.index(key)
    assert frontier.remaining == []


def test_the_longest_path_goes_first(planned) -> None:
    plan = planned(**GRID)
    frontier = Frontier(plan, [], lambda key, result: None)
    run_order = run(frontier, slots=1)
    ready_together = [key for key in run_order if plan.stages[key].kind == "relearn"]
    assert plan.stages[run_order[0]].kind == "base"
    assert ready_together
    waits = [plan.work_behind[key] for key in run_order if plan.stages[key].kind == "finetune"]
    assert waits == sorted(waits, reverse=True)


def test_what_is_done_is_not_run_again(planned) -> None:
    plan = planned(**GRID)
    done = list(plan.stages)[:4]
    started = run(Frontier(plan, done, lambda key, result: None), slots=2)
    assert sorted(started) == sorted(set(plan.stages) - set(done))


def test_a_failure_takes_down_its_descendants_only(planned) -> None:
    plan = planned(**GRID)
    broken = next(key for key, stage in plan.stages.items() if stage.kind == "unlearn")
    frontier = Frontier(plan, [], lambda key, result: None)
    started = run(frontier, slots=2, fail=lambda key: key == broken)
    below = set(plan.descendants(broken))
    assert below
    assert frontier.failed == {broken}
    assert frontier.unreachable == below
    assert set(started) == set(plan.stages) - below
    assert frontier.done == set(plan.stages) - below - {broken}
    assert frontier.remaining == []


def test_draining_hands_out_nothing_more(planned) -> None:
    plan = planned(**GRID)
    frontier = Frontier(plan, [], lambda key, result: None)
    frontier.suggest("a")
    frontier.drain()
    assert frontier.suggest("b") == Searcher.FINISHED
    frontier.on_trial_complete("a", OK)
    assert len(frontier.remaining) == len(plan.stages) - 1


def test_a_fault_of_the_bookkeeping_drains_and_is_kept(planned) -> None:
    def broken(key: str, result: object) -> None:
        raise OSError(28, "No space left on device")

    frontier = Frontier(planned(**GRID), [], broken)
    frontier.suggest("a")
    frontier.on_trial_complete("a", OK)
    assert isinstance(frontier.broken_by, OSError)
    assert frontier.suggest("b") == Searcher.FINISHED
