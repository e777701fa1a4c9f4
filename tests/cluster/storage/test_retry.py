"""What is tried again where storage does not answer, and what is not."""

import errno
import os
from pathlib import Path

import pytest

import cluster.storage.retry
from cluster.storage.disk_full import StorageFullError
from cluster.storage.local_store import LocalStore
from cluster.storage.retry import StorageSilentError, storage_errors_in_words, with_retries
from study.errors import PreflightError


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.storage.retry, "PAUSES", (0.0, 0.0))


class Failing:
    """An operation of storage that fails so often with one error."""

    def __init__(self, number: int, times: int) -> None:
        self.calls = 0
        self._number, self._times = number, times

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._times:
            raise OSError(self._number, os.strerror(self._number), "/shared/study")
        return "done"


def test_an_outage_is_tried_again_and_told() -> None:
    told: list[str] = []
    action = Failing(errno.EIO, times=2)
    assert with_retries(action, lambda error, pause: told.append(str(error))) == "done"
    assert (action.calls, len(told)) == (3, 2)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENOSPC])
def test_what_will_not_change_is_not_tried_again(number: int) -> None:
    action = Failing(number, times=1)
    with pytest.raises(OSError):
        with_retries(action, lambda error, pause: None)
    assert action.calls == 1


def test_what_storage_says_in_the_end_is_said_in_words(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageSilentError, match=r"/shared/study does not answer.*the same command"),
        storage_errors_in_words(tmp_path),
    ):
        with_retries(Failing(errno.EIO, times=9), lambda error, pause: None)
    with pytest.raises(StorageFullError, match="bytes free"), storage_errors_in_words(tmp_path):
        with_retries(Failing(errno.ENOSPC, times=9), lambda error, pause: None)


def test_a_store_that_does_not_answer_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = Failing(errno.EIO, times=1)
    monkeypatch.setattr(os, "fsync", lambda handle: fsync())
    with_retries(LocalStore(tmp_path).prepare, lambda error, pause: None)
    assert fsync.calls > 1


def test_a_store_that_refuses_says_so_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    told: list[str] = []
    with pytest.raises(PreflightError, match=r"Not a directory.*--store"):
        with_retries(
            LocalStore(tmp_path / "file" / "store").prepare, lambda error, pause: told.append(str(error))
        )
    assert told == []
