"""One writer at a time: a lease on the study's folder that its holder renews, without a lock of the file system.

Nothing of a study's folder is written but by who holds its lease. What writes there takes the ``Lease`` and checks it
right before, so that a holder that was suspended, and whose study another process took meanwhile, writes nothing more.
Artifacts need no lease: each is accepted once, whoever publishes it.

    DIR/.driver/N   the lease of the N-th holder: node, process, place, since when, and a token; then a dot for each
                    renewal; then a line ``released``

The newest lease counts. Who takes the study over from holder N creates N + 1, exclusively, and then deletes the older
ones; the newest is never deleted, so that no number is used twice.

No two clocks are compared, since nodes disagree about the time: whoever finds a lease watches whether it is renewed.
Only where boot and PID namespace of the holder are this process's own is the process asked for: under the same host
name, another container has other processes.
"""

import contextlib
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cluster.background_thread import background
from cluster.storage.disk_full import full, is_full
from cluster.storage.retry import is_outage, with_retries
from study.errors import PreflightError, RelearnError, command_line

RENEW_SECONDS = 2.0
WATCH_SECONDS = 15.0
"""A lease that is not renewed for so long belongs to nobody."""
LEASES = ".driver"
RELEASED = "released"


class StudyHeldError(RelearnError):
    """Another process holds this study."""

    exit_code = 4


@dataclass(frozen=True)
class Lease:
    """A study's folder that this process holds, or held until another took it."""

    folder: Path
    number: int
    token: str

    def check(self) -> None:
        """To be called right before anything in the folder is written.

        Raises:
            StudyHeldError: another process took the study over.
            PreflightError: the folder is another one now, or gone.
            OSError: storage does not answer; may be called again.
        """
        newest = _newest(self.folder)
        if newest is not None and newest.number == self.number and newest.facts.get("token") == self.token:
            return
        if newest is None or newest.number < self.number:
            raise PreflightError(
                f"{self.folder} was moved, deleted or replaced while this process worked in it: put it back, or give "
                "the command again for the folder where it lies now; what was published there stays"
            )
        raise StudyHeldError(
            f"{self.folder} was taken over by {newest.words} while this process did not answer: what was published "
            "stays, and the other one goes on"
        )

    def release(self) -> None:
        """Gives the study back; without effect where another holds it."""
        with contextlib.suppress(OSError, RelearnError):
            self.check()
            _append(_path(self.folder, self.number), f"\n{RELEASED}\n")


@contextmanager
def hold(
    study_folder: Path,
    lost: Callable[[RelearnError], None] = lambda error: None,
    failed: Callable[[OSError, float], None] = lambda error, pause: None,
) -> Iterator[Lease]:
    """Holds the study while the block runs; makes its folder where it lacks.

    Args:
        lost: called in another thread, with what ``Lease.check`` raises, when the study is lost.
        failed: called where storage does not answer, with its error and the seconds until the next try.

    Raises:
        StudyHeldError: another process holds it.
        PreflightError: the folder cannot be written.
        OSError: storage does not answer.
    """
    token = uuid.uuid4().hex
    try:
        lease = with_retries(lambda: _take(study_folder, token), failed)
    except OSError as error:
        if is_outage(error):
            raise
        if is_full(error):
            raise full(study_folder) from error
        raise PreflightError(
            f"the study folder {study_folder} cannot be written: {error.strerror or error}; give a folder that you may "
            "write (--study names a new one), or a copy of this one"
        ) from error
    try:
        with background(lambda ended: _renew(lease, ended, lost)):
            yield lease
    finally:
        lease.release()


def holder_of(study_folder: Path) -> str | None:
    """Who runs the study now, in words; None when nobody does. For a holder on another node it is a guess."""
    newest = _newest(study_folder)
    return None if newest is None or newest.ended else newest.words


@dataclass(frozen=True)
class _Found:
    """A lease as it is read; ``facts`` are empty where it is just being written."""

    number: int
    facts: dict[str, Any]
    renewals: str
    released: bool

    @property
    def ended(self) -> bool:
        """Whether it was given back, or its holder was a process of this machine that is gone."""
        if self.released:
            return True
        if not _place() or self.facts.get("place") != _place():
            return False
        try:
            return psutil.Process(int(self.facts["pid"])).status() == psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, ValueError, KeyError):
            return True

    @property
    def words(self) -> str:
        if "pid" not in self.facts:
            return "another process"
        seconds = max(0.0, time.time() - float(self.facts["since"]))
        return f"process {self.facts['pid']} on {self.facts['node']} for {seconds:.0f} s"


def _take(study_folder: Path, token: str) -> Lease:
    seen = _newest(study_folder)
    began = time.monotonic()
    while True:
        now = _newest(study_folder)
        if (
            now is not None and now.facts.get("token") == token
        ):  # created at a try before, which reported an error
            return _alone(study_folder, now.number, token)
        unrenewed = now == seen and time.monotonic() - began > WATCH_SECONDS
        if now is None or now.ended or unrenewed:
            number = 1 if now is None else now.number + 1
            if _create(_path(study_folder, number), token):
                newest = _newest(study_folder)
                if newest is not None and newest.number == number:
                    return _alone(study_folder, number, token)
                _path(study_folder, number).unlink(
                    missing_ok=True
                )  # others were here between look and creation
            seen = _newest(study_folder)
            began = time.monotonic()
        elif now != seen:
            raise StudyHeldError(
                f"{study_folder} is being run by {now.words}: wait for it, stop it with "
                f"`{command_line('stop', study_folder)}`, or watch it with `{command_line('status', study_folder)}`"
            )
        else:
            time.sleep(RENEW_SECONDS / 4)


def _create(path: Path, token: str) -> bool:
    """Makes a lease, of the first of two that try; not durable, since after a power cut nobody holds the study."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "node": platform.node(),
        "pid": os.getpid(),
        "place": _place(),
        "since": time.time(),
        "token": token,
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    try:
        os.write(handle, f"{json.dumps(facts)}\n".encode())
    finally:
        os.close(handle)
    return True


def _alone(study_folder: Path, number: int, token: str) -> Lease:
    """The lease, after the older ones are gone: their holders find theirs gone at their next look."""
    for older in _numbers(study_folder):
        if older < number:
            with contextlib.suppress(OSError):
                _path(study_folder, older).unlink()
    return Lease(study_folder, number, token)


def _renew(lease: Lease, ended: threading.Event, lost: Callable[[RelearnError], None]) -> None:
    while not ended.wait(RENEW_SECONDS):
        with contextlib.suppress(OSError):  # a full disk or an outage is the run's business, not the lease's
            try:
                lease.check()
            except RelearnError as error:
                lost(error)
                return
            _append(_path(lease.folder, lease.number), ".")


def _append(path: Path, text: str) -> None:
    """Never creates the file: a holder whose lease is gone must not bring it back."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def _newest(study_folder: Path) -> _Found | None:
    """The lease that counts; None where there is none."""
    for number in sorted(_numbers(study_folder), reverse=True):
        try:
            text = _path(study_folder, number).read_text(errors="replace")
        except FileNotFoundError:
            continue  # its taker deletes the older ones
        first, _, rest = text.partition("\n")
        try:
            facts = json.loads(first)
        except ValueError:
            facts = {}
        facts = facts if isinstance(facts, dict) else {}
        return _Found(number, facts, rest, RELEASED in rest)
    return None


def _numbers(study_folder: Path) -> list[int]:
    try:
        names = [path.name for path in (study_folder / LEASES).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [int(name) for name in names if name.isdecimal()]


def _path(study_folder: Path, number: int) -> Path:
    return study_folder / LEASES / str(number)


def _place() -> str:
    """This boot of this machine and this PID namespace: where a process number means the same; "" if not known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
