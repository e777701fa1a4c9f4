"""The list of causes: what each error is, whether it is tried again, and what Ray's words about a lost worker mean."""

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from cluster.ray_tune.lost_trials import LostTrials
from cluster.storage.retry import StorageRefusedError, UnansweredError
from cluster.study_folder.failures import ABOUT, Cause, Failure, FailureRecords
from cluster.study_folder.lease import hold
from cluster.worker.attempts import Attempts, StageGivenUpError
from study.errors import DeviceError, DivergedError, GangError, IntegrityError, SpecError


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "cause", "tried_again"),
    [
        (DivergedError("the loss is nan"), Cause.DIVERGED, False),
        (IntegrityError("other bytes"), Cause.INTEGRITY, False),
        (SpecError("no such layer"), Cause.USER, False),
        (MemoryError(), Cause.MEMORY, False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), Cause.SICK_CARD, True),
        (RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED when calling cublasSgemm"), Cause.SICK_CARD, True),
        (RuntimeError("CUDA error: device-side assert triggered"), Cause.ERROR, False),
        (RuntimeError("CUDA error: out of memory"), Cause.MEMORY, False),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), Cause.MEMORY, False),
        (torch.AcceleratorError("CUDA error: ECC"), Cause.SICK_CARD, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), Cause.ERROR, False),
        (DeviceError("no driver"), Cause.NO_GPU, True),
        (GangError("process 2 of 2 was ended by SIGKILL"), Cause.LOST_WORKER, True),
        (OSError(errno.ENOSPC, "No space left on device"), Cause.DISK, False),
        (OSError(errno.EIO, "Input/output error"), Cause.STORAGE, True),
        (OSError(errno.EACCES, "Permission denied"), Cause.REFUSED, False),
        (UnansweredError("503", "s3://bucket/x"), Cause.STORAGE, True),
        (StorageRefusedError("the credentials are expired"), Cause.DENIED, False),
        (ZeroDivisionError("division by zero"), Cause.ERROR, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_stage_raises(tmp_path: Path, error: Exception, cause: Cause, tried_again: bool) -> None:
    failure = Failure.of_error(raised(error), tmp_path)
    assert (failure.cause, failure.tried_again) == (cause, tried_again)
    assert Failure.of(failure.as_dict()) == failure
    if cause is Cause.ERROR:
        assert "test_failures.py:" in failure.message


def test_every_cause_says_what_to_do() -> None:
    assert set(ABOUT) == set(Cause)
    assert all(about.meaning and about.remedy for about in ABOUT.values())


class Trial:
    """As much of Tune's as a callback looks at."""

    def __init__(self, words: str | None) -> None:
        self.config = {"stage": "key"}
        self._words = words

    def get_error(self) -> Any:
        return None if self._words is None else RuntimeError(self._words)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("The actor died because its node has died.\nNode Id: 1", Cause.LOST_NODE),
        ("Task was killed due to the node running low on memory.", Cause.NODE_MEMORY),
        ("ray.exceptions.RayTaskError(OSError): [Errno 5] Input/output error", Cause.STORAGE),
        ("Worker exit type: SYSTEM_ERROR", Cause.LOST_WORKER),
        (None, Cause.LOST_WORKER),
    ],
)
def test_what_ray_says_of_a_lost_worker(words: str | None, cause: Cause) -> None:
    lost: list[tuple[str, Cause, bool]] = []
    callback = LostTrials(lambda key, failure, last: lost.append((key, failure.cause, last)))
    callback.on_trial_recover(1, [], Trial(words))
    callback.on_trial_error(1, [], Trial(words))
    assert lost == [("key", cause, False), ("key", cause, True)]
    assert ABOUT[cause].tried_again


def test_a_stage_that_its_watchdog_gave_up_is_not_begun_again(tmp_path: Path) -> None:
    attempts, failure = Attempts(tmp_path), Failure(Cause.TIME, "took too long")
    assert [attempts.begin("key"), attempts.begin("key")] == [1, 2]
    attempts.give_up("key", failure)
    with pytest.raises(StageGivenUpError) as caught:
        Attempts(tmp_path).begin("key")
    assert caught.value.failure == failure == attempts.failure("key")
    assert attempts.begin("other") == 1


def test_a_failure_is_kept_until_the_stage_succeeds(planned, tmp_path: Path) -> None:
    plan = planned()
    key = next(key for key, stage in plan.stages.items() if stage.kind == "relearn")
    records = FailureRecords(tmp_path)
    with hold(tmp_path) as lease:
        kept = records.write(lease, plan, key, Failure(Cause.DIVERGED, "the loss is nan"))
    assert FailureRecords(tmp_path).read() == {key: kept}
    assert kept["label"] == "relearn (start unlearned, repetitions 7, depth 2, corpus prefix, seed 0)"
    assert "learning rate" in kept["remedy"]
    with hold(tmp_path) as lease:
        records.forget(lease, key)
    assert records.read() == {}
