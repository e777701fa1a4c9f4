"""The client of a service by jobs, see ``FineTuning``.

**Paid once.** A job carries its key to the service. Before one is created, the service's list is searched for it; what
is found is adopted, unless it has failed. So a study that was killed at any moment, between any two requests, goes on
with the jobs it has paid for.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from study.performing.service.calls import Calls
from study.performing.service.dialects import DIALECTS
from study.performing.service.errors import ServiceRefusedError, ServiceSilentError, shape_expected
from study.performing.service.probes import asked_by_conversation, asked_by_text
from study.performing.service.protocol import Answers, Ended
from study.performing.service.training_lines import training_lines
from study.planning.served_nodes import Job
from study.planning.stages import Evaluation

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 20.0
"""Seconds between two looks at a job that goes on."""
PAGE = 100


class ServiceClient:
    """One service.

    Raises:
        PreflightError: the environment has no key for it.
    """

    def __init__(self, base_url: str, dialect: str, form: str) -> None:
        self._dialect = DIALECTS[dialect]
        self._form = form
        self._calls = Calls(base_url, self._dialect.key_variable)

    def snapshot(self, model: str) -> str | None:
        """What the service says of a model's content: a snapshot, else when it was made; None: no such model."""
        with shape_expected("a model's"):
            return self._snapshot(model)

    def _snapshot(self, model: str) -> str | None:
        found = self._calls.get(f"/models/{model}")
        if found is None:  # some services only list them
            listed = self._calls.get("/models") or []
            every = listed.get("data") or [] if isinstance(listed, Mapping) else listed
            found = next((each for each in every if each.get("id") == model), None)
        if found is None:
            return None
        return str(found.get("snapshot") or found.get("created") or "")

    def start(self, job: Job, note: Callable[[str, str], None]) -> str:
        """See ``FineTuning``."""
        with shape_expected("a job's"):
            return self._started(job, note)

    def stands(self, known: str) -> bool:
        """See ``FineTuning``."""
        with shape_expected("a job's"):
            found = self._calls.get(f"{self._dialect.jobs}/{known}")
            return found is not None and not self._dialect.outcome(found)

    def _started(self, job: Job, note: Callable[[str, str], None]) -> str:
        path = self._dialect.jobs
        listed = self._of(job.key)
        failed = {str(each["id"]) for each in listed if self._dialect.outcome(each)}

        def oldest(jobs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
            """One that has failed since the list was read counts too: it is no reason for another."""
            return next((each for each in jobs if str(each["id"]) not in failed), None)

        found = oldest(listed)
        if found is None:
            name = f"relearn-{job.key}.jsonl"
            file = self._calls.upload(self._dialect.upload, name, training_lines(job.data, self._form))
            note("file", str(file["id"]))
            body = self._dialect.body(job, str(file["id"]))
            found = self._calls.create(path, body, lambda: oldest(self._of(job.key)))
            # Another study may have begun the same between the two: who comes second gives way, before it is paid for.
            first = oldest(self._of(job.key)) or found
            if str(first["id"]) != str(found["id"]):
                with suppress(ServiceRefusedError, ServiceSilentError):
                    self._calls.post(f"{path}/{found['id']}/cancel", {})
                found = first
            note("job", str(found["id"]))
        else:
            note("job adopted", str(found["id"]))
        return str(found["id"])

    def checkpoints(
        self, job: Job, known: Sequence[str], steps: Sequence[int], note: Callable[[str, str], None]
    ) -> Ended:
        """See ``FineTuning``; the steps are what the service makes of epochs."""
        del job, steps, note
        with shape_expected("a job's"):
            return self._ended(known[-1])

    def _ended(self, known: str) -> Ended:
        path, pause = f"{self._dialect.jobs}/{known}", FIRST_PAUSE
        while True:
            found = self._calls.get(path)
            if found is None:
                raise ServiceRefusedError(f"the job {known} is not there any more")
            outcome = self._dialect.outcome(found)
            if outcome is not None:
                break
            time.sleep(pause)
            pause = min(1.3 * pause, LONGEST_PAUSE)
        if outcome:
            raise ServiceRefusedError(f"the job {known} {outcome[:500]}")
        models = self._dialect.models(found, list(self._listed(f"{path}/checkpoints")))
        begun, ended = found.get("created_at"), found.get("finished_at")
        timed = isinstance(begun, int) and isinstance(ended, int) and ended >= begun
        seconds = float(ended - begun) if timed else None
        told = ("id", "model", "hyperparameters", "trained_tokens", "seed", "created_at", "finished_at")
        facts = json.dumps({name: found.get(name) for name in told})
        return Ended(models, seconds, json.loads(facts, parse_constant=str))  # JSON has no NaN

    def answers(self, model: str, evaluation: Evaluation) -> Answers:
        """See ``FineTuning``."""
        with shape_expected("a completion's"):
            if self._form == "messages":
                return asked_by_conversation(self._calls, model, evaluation)
            return asked_by_text(self._calls, self._dialect, model, evaluation)

    def close(self) -> None:
        """See ``FineTuning``."""
        self._calls.close()

    def _of(self, key: str) -> list[Mapping[str, Any]]:
        """The jobs of this key, the oldest first."""
        return [each for each in self._listed(self._dialect.jobs) if self._dialect.is_of(each, key)][::-1]

    def _listed(self, path: str) -> Iterator[Mapping[str, Any]]:
        """A whole list, page by page; each object once."""
        after: dict[str, str] = {}
        while True:
            page = self._calls.get(path, limit=PAGE, **after) or {}
            data = page.get("data") or []
            yield from data
            if not page.get("has_more") or not data:
                return
            last = str(data[-1]["id"])
            if after.get("after") == last:
                raise ServiceRefusedError(
                    f"the service's list {path} has no end: a page repeats the one before"
                )
            after = {"after": last}
