"""A study as a job of a Ray cluster: its driver runs there, so that the machine that submitted it may go away.

A job's id is the name of the study's folder, so that submitting twice is submitting once. A study that is submitted
again after its job ended gets the ids NAME~2, NAME~3 …: Ray does not support an id that it had before. What travels
is the project's own code and the resolved spec, and no secret; data and models are named as the cluster sees them.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
import shlex
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster.ray_tune.environment import check_listens
from cluster.ray_tune.node_checks import OFFLINE
from study.errors import PreflightError, SpecError
from study.spec import StudySpec

DASHBOARD = "that of the dashboard of a Ray head, such as http://HEAD:8265"
SPEC_FILE = "space.json"
ROOMS = ("study", "search_spaces", "cluster", "analysis")
STOP_SECONDS = 60
"""For a driver that is cancelled to put its things away; Ray would kill it after 3 s."""
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass(frozen=True)
class Job:
    """The last job of a study.

    Attributes:
        id: NAME, or NAME~N for the N-th.
        status: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED.
        exit_code: of ``relearn run``; None while it runs, or where it was ended from outside.
        digest: of what was submitted.
        folder: the study's, as the job sees it.
        environment: as Ray keeps it; another job within it sees the same folder.
        message: Ray's words on how it is.
    """

    id: str
    status: str
    exit_code: int | None
    digest: str
    folder: str
    began: datetime | None
    environment: dict[str, Any]
    message: str

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.status in ENDED

    def in_words(self) -> str:
        """In a few words; Ray's own only where nothing else says what happened."""
        words = self.status.lower()
        if self.exit_code is not None:
            return f"{words} (exit code {self.exit_code})"
        return f"{words} ({self.message.splitlines()[0][:200]})" if self.ended and self.message else words


class Jobs:
    """The jobs server of a cluster, ``http://HEAD:8265``.

    Raises:
        SpecError: no such address.
        PreflightError: nobody answers there, or it wants a token.
    """

    def __init__(self, address: str) -> None:
        if not re.fullmatch(r"https?://[^/\s:]+:\d+/?", address):
            raise SpecError(f"--address {address}: expected {DASHBOARD}")
        check_listens(address.rstrip("/"), expected=DASHBOARD)
        self._address = address.rstrip("/")
        with self._told():
            from ray.job_submission import JobSubmissionClient

            for name in ("dashboard_sdk", "job.sdk"):
                logging.getLogger(f"ray.dashboard.modules.{name}").setLevel(logging.WARNING)
            self._client: Any = JobSubmissionClient(self._address)

    def submit(self, folder: str, spec: StudySpec, words: list[str], root: Path) -> tuple[Job, bool]:
        """Submits a study, unless its job runs.

        Args:
            folder: the study's there; its name is that of the job.
            words: of ``relearn run`` beside the space and the folder.
            root: the folder of ``relearn.py`` and the rooms.

        Returns:
            The job, and whether it is a new one.

        Raises:
            SpecError: a job of that name runs, and computes something else.
        """
        study, words = Path(folder).name, ["--study", folder, *words]
        text = json.dumps(spec.model_dump(mode="json"), sort_keys=True)
        digest = hashlib.sha256(json.dumps([text, words]).encode()).hexdigest()[:16]
        last = self.last(study)
        if last is not None and not last.ended:
            return self._same(last, digest), False
        id_of_next = study if last is None else f"{study}~{_number(last.id) + 1}"
        entrypoint = ["python", "relearn.py", "run", SPEC_FILE, *words]
        variables = {name: os.environ[name] for name in OFFLINE if name in os.environ}
        variables |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
        with self._told(), _working_folder(text, root) as working:
            try:
                self._begin(
                    entrypoint="exec "
                    + shlex.join(entrypoint),  # so a cancelled job's signal reaches the driver
                    submission_id=id_of_next,
                    metadata={"relearn": digest, "study": folder},
                    runtime_env={"working_dir": str(working), "env_vars": variables},
                )
            except RuntimeError as error:
                if "already exists" not in str(error):
                    raise
                return self._same(self._job(id_of_next), digest), False  # submitted twice at one moment
        return self._job(id_of_next), True

    def _begin(self, **asked: Any) -> str:
        """Submits a job; a head that has just started is asked again until an agent of it takes jobs."""
        until = time.monotonic() + STOP_SECONDS
        while True:
            try:
                return str(self._client.submit_job(**asked))
            except RuntimeError as error:
                if "No available agent" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(1)

    def _same(self, job: Job, digest: str) -> Job:
        if job.digest != digest:
            study = job.id.partition("~")[0]
            raise SpecError(
                f"{study} runs there already, with another spec or other options: name this one otherwise "
                f"(--set name=…), or end that one (relearn cancel {study} --address {self._address})"
            )
        return job

    def last(self, study: str) -> Job | None:
        """The last job of a study; None where nobody submitted it."""
        with self._told():
            ids = [each.submission_id for each in self._client.list_jobs()]
        mine = [each for each in ids if each and re.fullmatch(rf"{re.escape(study)}(~\d+)?", each)]
        return self._job(max(mine, key=_number)) if mine else None

    def of_study(self, study: str) -> Job:
        """The last job of a study.

        Raises:
            SpecError: nobody submitted it.
        """
        found = self.last(study)
        if found is None:
            raise SpecError(f"{study}: no such job at {self._address}; `relearn submit` begins one")
        return found

    def cancel(self, study: str) -> Job:
        """Ends a job as `relearn cancel` does: the driver is told by a SIGTERM."""
        job = self.of_study(study)
        with self._told():
            self._client.stop_job(job.id)
        return self._when(job, lambda found: found.ended, STOP_SECONDS + 10)

    def stop(self, study: str) -> str:
        """Ends a job as `relearn stop` does: by a small job beside it, which sees the same folder.

        Returns:
            What `relearn stop` said there.

        Raises:
            PreflightError: it was refused there, or the cluster had no room for it in time.
        """
        job = self.of_study(study)
        if job.ended:
            raise SpecError(f"{study}: its job has ended: {job.in_words()}")
        with self._told():
            asking = self._begin(
                entrypoint=shlex.join(["python", "relearn.py", "stop", job.folder]),
                submission_id=f"{job.id}~stop-{uuid.uuid4().hex[:8]}",
                runtime_env=job.environment,
            )
        request = self._when(self._job(asking), lambda found: found.ended, 2 * STOP_SECONDS)
        if not request.ended:
            raise PreflightError(
                f"{study}: the request to stop is a job of its own ({asking}), which has not ended in "
                f"{2 * STOP_SECONDS} s ({request.in_words()}); it is carried out when the cluster comes to it: "
                f"relearn status {study} --address {self._address}"
            )
        with self._told():
            said = [line for line in str(self._client.get_job_logs(asking)).splitlines() if line.strip()]
        with (
            suppress(PreflightError),
            self._told(),
        ):  # what is left of it is only an entry in Ray's list of jobs
            self._client.delete_job(asking)
        if request.exit_code != 0 or not said:
            raise PreflightError(f"{study}: {said[-1] if said else request.in_words()}")
        return said[-1]

    def follow(self, job: Job) -> Iterator[str]:
        """What its driver prints, until it ends."""
        with self._told():
            logs = self._client.tail_job_logs(job.id)
            loop = asyncio.new_event_loop()
            try:
                while True:
                    try:
                        yield loop.run_until_complete(anext(logs))
                    except StopAsyncIteration:
                        return
            finally:
                loop.run_until_complete(logs.aclose())
                loop.close()

    def ended(self, job: Job) -> Job:
        """The job once Ray knows that it has ended, which it says a moment after its last line."""
        return self._when(job, lambda found: found.ended, STOP_SECONDS)

    def _when(self, job: Job, holds: Callable[[Job], bool], seconds: float) -> Job:
        until = time.monotonic() + seconds
        while not holds(job) and time.monotonic() < until:
            time.sleep(0.5)
            job = self._job(job.id)
        return job

    def _job(self, job_id: str) -> Job:
        with self._told():
            found = self._client.get_job_info(job_id)
        began, metadata = found.start_time, found.metadata or {}
        return Job(
            id=job_id,
            status=str(getattr(found.status, "value", found.status)),
            exit_code=found.driver_exit_code,
            digest=metadata.get("relearn", ""),
            folder=metadata.get("study", ""),
            began=None if began is None else datetime.fromtimestamp(began / 1000, UTC),
            environment=found.runtime_env or {},
            message=found.message or "",
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the jobs server in words."""
        try:
            yield
        except Exception as error:
            of_ray = type(error).__module__.startswith("ray.")
            if not of_ray and not isinstance(error, (OSError, RuntimeError, ImportError)):
                raise
            words = " ".join(str(error).split())[:300]
            raise PreflightError(
                f"--address {self._address}: its jobs server does not do this ({words}); it needs `ray start --head` "
                "with the dashboard (pip install 'ray[default]'); a cluster with a token asks for RAY_AUTH_MODE=token "
                "and RAY_AUTH_TOKEN here, too"
            ) from error


def _number(job_id: str) -> int:
    """Which job of its study it is, from 1."""
    return int(job_id.partition("~")[2] or 1)


@contextmanager
def _working_folder(spec: str, root: Path) -> Iterator[Path]:
    """The code of this project and the spec, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "relearn"
        folder.mkdir()
        shutil.copy(root / "relearn.py", folder)
        for room in ROOMS:
            shutil.copytree(root / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / SPEC_FILE).write_text(spec, encoding="utf-8")
        yield folder
