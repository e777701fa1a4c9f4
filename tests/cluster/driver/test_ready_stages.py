"""The searcher by itself: order, unlocking, failure, draining. Ray is in test_run."""

import pytest
from ray.tune.search import Searcher

from cluster.ray_tune.ready_stages import ReadyStages

GRID = {"depth": [1, 2], "corpus": ["prefix", "retain"], "relearn_steps": [0, 1], "repetitions": [7, 1]}
OK = {"cause": None, "seconds": 1.0}


def run(searcher: ReadyStages, slots: int, fail=lambda key: False) -> list[str]:
    """Plays Tune: keeps ``slots`` trials running, ends the oldest; the order in which stages started."""
    started: list[str] = []
    running: list[tuple[str, str]] = []
    trial = 0
    while True:
        while len(running) < slots:
            suggestion = searcher.suggest(str(trial))
            if not isinstance(suggestion, dict):
                break
            started.append(suggestion["stage"])
            running.append((str(trial), suggestion["stage"]))
            trial += 1
        if not running:
            assert suggestion == Searcher.FINISHED
            return started
        name, key = running.pop(0)
        searcher.on_trial_complete(name, {"cause": "diverged", "message": ""} if fail(key) else OK)


@pytest.mark.parametrize("slots", [1, 2, 50])
def test_every_stage_once_and_parents_first(planned, slots: int) -> None:
    plan = planned(**GRID)
    finished: list[str] = []
    searcher = ReadyStages(plan, [], lambda key, result: finished.append(key))
    started = run(searcher, slots)
    assert sorted(started) == sorted(plan.stages)
    for key in started:
        for parent in plan.stages[key].parents:
            assert finished.index(parent.of.key) < finished.index(key)
            assert slots > 1 or started.index(parent.of.key) < started.index(key)
    assert searcher.remaining == []


def test_the_longest_path_goes_first(planned) -> None:
    plan = planned(**GRID)
    searcher = ReadyStages(plan, [], lambda key, result: None)
    run_order = run(searcher, slots=1)
    ready_together = [key for key in run_order if plan.stages[key].kind == "relearn"]
    assert plan.stages[run_order[0]].kind == "base"
    assert ready_together
    waits = [plan.work_behind[key] for key in run_order if plan.stages[key].kind == "finetune"]
    assert waits == sorted(waits, reverse=True)


def test_what_is_done_is_not_run_again(planned) -> None:
    plan = planned(**GRID)
    done = list(plan.stages)[:4]
    started = run(ReadyStages(plan, done, lambda key, result: None), slots=2)
    assert sorted(started) == sorted(set(plan.stages) - set(done))


def test_a_failure_takes_down_its_descendants_only(planned) -> None:
    plan = planned(**GRID)
    broken = next(key for key, stage in plan.stages.items() if stage.kind == "unlearn")
    searcher = ReadyStages(plan, [], lambda key, result: None)
    started = run(searcher, slots=2, fail=lambda key: key == broken)
    below = set(plan.descendants(broken))
    assert below
    assert searcher.failed == {broken}
    assert searcher.unreachable == below
    assert set(started) == set(plan.stages) - below
    assert searcher.done == set(plan.stages) - below - {broken}
    assert searcher.remaining == []


def test_draining_hands_out_nothing_more(planned) -> None:
    plan = planned(**GRID)
    searcher = ReadyStages(plan, [], lambda key, result: None)
    searcher.suggest("a")
    searcher.drain()
    assert searcher.suggest("b") == Searcher.FINISHED
    searcher.on_trial_complete("a", OK)
    assert len(searcher.remaining) == len(plan.stages) - 1


def test_a_fault_of_the_bookkeeping_drains_and_is_kept(planned) -> None:
    def broken(key: str, result: object) -> None:
        raise OSError(28, "No space left on device")

    searcher = ReadyStages(planned(**GRID), [], broken)
    searcher.suggest("a")
    searcher.on_trial_complete("a", OK)
    assert isinstance(searcher.broken_by, OSError)
    assert searcher.suggest("b") == Searcher.FINISHED
