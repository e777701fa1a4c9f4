"""Stage → artifacts, by a service: asks a model, or starts a job, waits, and asks its checkpoints.

What the store has is not asked again. The id of a job is an artifact of its own, published before the job is waited
for. A step without a checkpoint is missing, and what the job does have is published before the stage says so.
"""

import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study.artifacts.address import Address, Store
from study.evaluation.answers_file import ANSWERS_FILE, SERVED, answers_table
from study.performing.provenance import describe_node, environment
from study.performing.service.client import ServiceClient
from study.performing.service.errors import MissingCheckpointError
from study.performing.service.protocol import Ended, FineTuning
from study.performing.service.steps import StepClient
from study.performing.stage_work import Tell, Work, missing_addresses
from study.planning.served_nodes import Job, ServedModel, Steps
from study.planning.stages import Evaluation, Stage
from study.results.files import write_pages
from study.settings.relearning import STEPS

JOB_FILE = "job.json"


def perform_at_service(stage: Stage, store: Store, tell: Tell) -> Work:
    """Publishes what is missing of a stage.

    Raises:
        ServiceRefusedError, ServiceSilentError, MissingCheckpointError: see there.
        PreflightError: the environment has no key.
    """
    node = stage.node
    if not isinstance(node, ServedModel | Job | Steps):
        raise TypeError(f"a {stage.kind} is computed here")
    missing = missing_addresses(stage, store)
    work = Work()
    if not missing:
        return work
    model = node.start if isinstance(node, Job | Steps) else node
    service: FineTuning[Any] = (
        StepClient(model.base_url, model.tokenizer)
        if model.dialect == STEPS
        else ServiceClient(model.base_url, model.dialect, model.form)
    )
    try:
        _Performance(stage, store, service, tell, work).run()
    finally:
        service.close()
    return work


def job_ids(store: Store, key: str) -> list[str]:
    """The ids that were written down for a trajectory; the last is that of the job that counts."""
    ids: list[str] = []
    while store.has(Address(key, len(ids), "job")):
        file = store.file(Address(key, len(ids), "job"), JOB_FILE)
        ids.append(str(json.loads(file.read_text(encoding="utf-8"))["job"]))
    return ids


class _Performance:
    def __init__(self, stage: Stage, store: Store, service: FineTuning[Any], tell: Tell, work: Work) -> None:
        self._stage = stage
        self._store = store
        self._service = service
        self._tell = tell
        self._work = work
        self._ids: list[str] = []

    def run(self) -> None:
        node = self._stage.node
        if isinstance(node, ServedModel):
            for _, evaluation in self._stage.evaluate:
                self._ask(0, node.model, evaluation, {})
            return
        if not isinstance(node, Job | Steps):
            raise TypeError("no stage of a service")
        began = time.perf_counter()
        known = self._known(node)
        wanted = [step for step, _ in self._stage.evaluate]
        ended = self._service.checkpoints(node, known, wanted, self._note)
        seconds = time.perf_counter() - began if ended.seconds is None else ended.seconds
        self._tell("job ended", checkpoints=sorted(ended.models), **ended.facts)
        without = []
        for step, evaluation in self._stage.evaluate:
            if step not in ended.models:
                without.append(step)
                continue
            facts = {"train_seconds": seconds, "job": dict(ended.facts)}
            self._ask(step, ended.models[step], evaluation, facts)
        if without:
            raise MissingCheckpointError(_in_words(without, ended))

    def _known(self, node: Job | Steps) -> list[str]:
        """The ids as written down; the last is of what the service has, else of what is begun now."""
        self._ids = job_ids(self._store, node.key)
        if self._ids and not self._service.stands(self._ids[-1]):
            self._tell("service: job failed or is gone, another is begun", id=self._ids[-1])
            self._service.start(node, self._note)
        elif not self._ids:
            self._service.start(node, self._note)
        return list(self._ids)

    def _note(self, what: str, known: str) -> None:
        self._tell(f"service: {what}", id=known)
        if what != "file":
            self._publish(Address(self._stage.key, len(self._ids), "job"), JOB_FILE, {"job": known}, {})
            self._ids.append(known)

    def _ask(self, step: int, model: str, evaluation: Evaluation, facts: Mapping[str, Any]) -> None:
        address = Address.of_answers(self._stage.key, step, evaluation.key)
        if self._store.has(address):
            return
        began = time.perf_counter()
        rows = self._service.answers(model, evaluation)
        seconds = time.perf_counter() - began
        self._work.evaluations += 1
        self._work.evaluation_seconds += seconds
        told = {
            "train_steps": step,
            "train_tokens": None,  # a service counts other tokens, if it tells any
            "train_seconds": 0.0,
            **facts,
            "evaluation_seconds": seconds,
            "probes": len(rows),
            "weight_distance": None,
            "model": model,
        }
        if self._publish(address, ANSWERS_FILE, rows, told):
            self._tell("published", step=step, what=address.what)

    def _publish(self, address: Address, name: str, content: Any, facts: Mapping[str, Any]) -> bool:
        node = self._stage.node
        model = node.start if isinstance(node, Job | Steps) else node
        provider = model.provider if isinstance(model, ServedModel) else ""
        with self._store.staging() as folder:
            _write(folder / name, content)
            return self._store.publish(
                address,
                folder,
                {
                    "stage": describe_node(node),
                    "facts": dict(facts),
                    "environment": environment(),
                    "device": f"service {provider}",
                    "node": platform.node(),
                    "start_up_seconds": None,
                },
            )


def _write(path: Path, content: Any) -> None:
    if path.name == JOB_FILE:
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    else:
        write_pages(answers_table(content, SERVED), path)


def _in_words(without: list[int], ended: Ended) -> str:
    there = ", ".join(map(str, sorted(ended.models))) or "none"
    return (
        f"the job {ended.facts.get('id')} has no checkpoint at relearn_steps={', '.join(map(str, without))}; it has "
        f"them at {there}"
    )
