"""One driver at a time: a lease on the study's folder that its holder renews.

It saves work and is not needed for correctness: two drivers would do work twice and still accept each artifact once.
No two clocks are compared, since nodes disagree about the time: whoever finds a lease watches whether it is renewed.
A holder that was suspended, and whose study another process took meanwhile, notices at its next renewal and ends.

    DIR/.driver.json   who holds the study: node, process, since when, a token, and how often it was renewed
    DIR/.driver.lock   held for a moment while the lease is changed
"""

import contextlib
import fcntl
import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from cluster.background_thread import background
from study.atomic_write import write_json
from study.errors import RelearnError, command_line

RENEW_SECONDS = 2.0
WATCH_SECONDS = 15.0
"""A lease that is not renewed for so long belongs to nobody."""

Lease = dict[str, Any]


class StudyHeldError(RelearnError):
    """Another driver runs this study."""

    exit_code = 4


@contextmanager
def hold(study_folder: Path, lost: Callable[[str], None]) -> Iterator[None]:
    """Holds the study while the block runs.

    Args:
        lost: called in another thread, with who took it, when another process took the study over.

    Raises:
        StudyHeldError: another process holds it.
    """
    token = uuid.uuid4().hex
    _take(study_folder, token)
    try:
        with background(lambda ended: _renew(study_folder, token, ended, lost)):
            yield
    finally:
        release(study_folder)


def release(study_folder: Path) -> None:
    """Gives up the lease that this process holds, if it still does."""
    with _changing(study_folder):
        lease = _read(study_folder)
        if lease is not None and (lease.get("node"), lease.get("boot"), lease.get("pid")) == (
            platform.node(),
            _boot(),
            os.getpid(),
        ):
            _path(study_folder).unlink(missing_ok=True)


def holder_of(study_folder: Path) -> str | None:
    """Who runs the study now, in words; None when nobody does. For a holder on another node it is a guess."""
    lease = _read(study_folder)
    return None if lease is None or _is_dead(lease) else _words(lease)


def _take(study_folder: Path, token: str) -> None:
    seen = _read(study_folder)
    began = time.monotonic()
    while True:
        with _changing(study_folder):
            now = _read(study_folder)
            unrenewed = _same(now, seen) and time.monotonic() - began > WATCH_SECONDS
            if now is None or _is_dead(now) or unrenewed:
                _write(study_folder, {**_me(), "token": token, "renewed": 0})
                return
        if not _same(now, seen):
            raise StudyHeldError(
                f"{study_folder} is being run by {_words(now)}: wait for it, stop it with "
                f"`{command_line('stop', study_folder)}`, or watch it with `{command_line('status', study_folder)}`"
            )
        time.sleep(RENEW_SECONDS / 4)


def _renew(study_folder: Path, token: str, ended: threading.Event, lost: Callable[[str], None]) -> None:
    while not ended.wait(RENEW_SECONDS):
        with contextlib.suppress(OSError):  # a full disk or an outage is the run's business, not the lease's
            with _changing(study_folder):
                lease = _read(study_folder)
                if lease is not None and _token(lease) == token:
                    _write(study_folder, {**lease, "renewed": lease["renewed"] + 1})
                    continue
            lost("nobody" if lease is None else _words(lease))
            return


def _same(one: Lease | None, other: Lease | None) -> bool:
    return (
        one is not None
        and other is not None
        and all(one.get(name) == other.get(name) for name in ("token", "renewed"))
    )


def _is_dead(lease: Lease) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    if lease.get("node") != platform.node() or lease.get("boot") != _boot():
        return False
    try:
        return psutil.Process(int(lease["pid"])).status() == psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError, KeyError):
        return True


def _boot() -> str:
    """An identifier of the machine's last start, where the system has one; not its time, since clocks are set."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def _me() -> Lease:
    return {"node": platform.node(), "boot": _boot(), "pid": os.getpid(), "since": time.time()}


def _words(lease: Lease | None) -> str:
    if lease is None or "pid" not in lease:
        return "another process"
    seconds = max(0.0, time.time() - float(lease["since"]))
    return f"process {lease['pid']} on {lease['node']} for {seconds:.0f} s"


def _token(lease: Lease | None) -> str | None:
    return None if lease is None else str(lease.get("token"))


def _path(study_folder: Path) -> Path:
    return study_folder / ".driver.json"


def _read(study_folder: Path) -> Lease | None:
    """The lease; None when there is none; empty when it cannot be read, and so its holder is unknown."""
    try:
        lease = json.loads(_path(study_folder).read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return lease if isinstance(lease, dict) else {}


def _write(study_folder: Path, lease: Lease) -> None:
    # Not durable: after a power cut nobody holds the study, and a busy disk must not keep the holder from renewing.
    write_json(_path(study_folder), lease, durable=False)


@contextmanager
def _changing(study_folder: Path) -> Iterator[None]:
    with (study_folder / ".driver.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
