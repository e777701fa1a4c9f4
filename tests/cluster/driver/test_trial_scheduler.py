"""Which waiting trial gets a worker that has become free; with Tune and its workers in test_run."""

from typing import Any

import pytest
from ray.tune.experiment import Trial

from cluster.ray_tune.trial_scheduler import TrialScheduler


def trial(scheduler: TrialScheduler, status: str) -> Trial:
    made = Trial("stage", stub=True)
    made.set_status(status)
    scheduler.on_trial_add(None, made)  # type: ignore[arg-type]  # the controller is not looked at
    return made


def chosen(scheduler: TrialScheduler) -> Any:
    return scheduler.choose_trial_to_run(None)  # type: ignore[arg-type]


def test_nothing_waits() -> None:
    scheduler = TrialScheduler(4)
    assert chosen(scheduler) is None
    trial(scheduler, Trial.RUNNING)
    assert chosen(scheduler) is None


@pytest.mark.parametrize(
    ("slots", "running", "waiting", "expected"),
    [
        (2, 1, 3, 0),  # no worker is being started: the oldest
        (2, 0, 2, 1),  # the oldest has a worker that starts
        (2, 0, 1, 0),  # nothing else waits
        (8, 3, 6, 4),  # four workers start
        (8, 3, 4, 3),
        (2, 4, 2, 0),  # a node has gone
        (1, 0, 2, 0),
    ],
)
def test_trials_whose_workers_start_are_passed_over(
    slots: int, running: int, waiting: int, expected: int
) -> None:
    scheduler = TrialScheduler(slots)
    for _ in range(running):
        trial(scheduler, Trial.RUNNING)
    trials = [trial(scheduler, Trial.PENDING) for _ in range(waiting)]
    assert chosen(scheduler) is trials[expected]


def test_nodes_come_and_go() -> None:
    scheduler = TrialScheduler(2)
    trials = [trial(scheduler, Trial.PENDING) for _ in range(4)]
    assert chosen(scheduler) is trials[1]
    scheduler.set_slots(4)
    assert chosen(scheduler) is trials[3]
    scheduler.set_slots(0)
    assert chosen(scheduler) is trials[0]


def test_what_is_tried_again_waits_behind_the_others() -> None:
    scheduler = TrialScheduler(1)
    lost, other = (trial(scheduler, Trial.PENDING) for _ in range(2))
    scheduler.on_trial_error(None, lost)  # type: ignore[arg-type]
    scheduler.on_trial_add(None, lost)  # type: ignore[arg-type]
    assert chosen(scheduler) is other
    scheduler.on_trial_remove(None, other)  # type: ignore[arg-type]
    assert chosen(scheduler) is lost
    scheduler.on_trial_complete(None, lost, {})  # type: ignore[arg-type]
    assert chosen(scheduler) is None
