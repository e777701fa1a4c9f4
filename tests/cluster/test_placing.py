"""Which waiting trial gets a worker that has become free; with Tune and its workers in test_run."""

from typing import Any

import pytest
from ray.tune.experiment import Trial

from cluster.ray_tune.trial_scheduler import Placing


def trial(placing: Placing, status: str) -> Trial:
    made = Trial("stage", stub=True)
    made.set_status(status)
    placing.on_trial_add(None, made)  # type: ignore[arg-type]  # the controller is not looked at
    return made


def chosen(placing: Placing) -> Any:
    return placing.choose_trial_to_run(None)  # type: ignore[arg-type]


def test_nothing_waits() -> None:
    placing = Placing(4)
    assert chosen(placing) is None
    trial(placing, Trial.RUNNING)
    assert chosen(placing) is None


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
    placing = Placing(slots)
    for _ in range(running):
        trial(placing, Trial.RUNNING)
    trials = [trial(placing, Trial.PENDING) for _ in range(waiting)]
    assert chosen(placing) is trials[expected]


def test_nodes_come_and_go() -> None:
    placing = Placing(2)
    trials = [trial(placing, Trial.PENDING) for _ in range(4)]
    assert chosen(placing) is trials[1]
    placing.has_room(4)
    assert chosen(placing) is trials[3]
    placing.has_room(0)
    assert chosen(placing) is trials[0]


def test_what_is_tried_again_waits_behind_the_others() -> None:
    placing = Placing(1)
    lost, other = (trial(placing, Trial.PENDING) for _ in range(2))
    placing.on_trial_error(None, lost)  # type: ignore[arg-type]
    placing.on_trial_add(None, lost)  # type: ignore[arg-type]
    assert chosen(placing) is other
    placing.on_trial_remove(None, other)  # type: ignore[arg-type]
    assert chosen(placing) is lost
    placing.on_trial_complete(None, lost, {})  # type: ignore[arg-type]
    assert chosen(placing) is None
