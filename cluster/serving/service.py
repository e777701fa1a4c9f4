"""What the service does, without HTTP: models, files and jobs by their names, and answers."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.serving.answerer import Answer, Answerer, Question
from cluster.serving.errors import RefusedError, no_such
from cluster.serving.records import OPEN, Object, Records
from cluster.serving.requests import JobRequest
from cluster.serving.served_models import Served, names
from cluster.serving.trainer import Trainer
from cluster.serving.training_file import read_corpus
from study.settings.optimiser import Optimiser

SECRET_OF_A_JOB = ("number", "checkpoints", "optimiser", "suffix", "root", "stands_on", "links")
"""Fields of a job's record that are not of its object."""


@dataclass(frozen=True)
class Choices:
    """What the service chooses where a job leaves it open, and its limits.

    Attributes:
        optimiser: rate of the multiplier 1, batch size, adapter and all else of a training.
        epochs: of a job that names none.
        max_length: where training texts are cut off, in tokens.
        keep_last: checkpoints that a job keeps; None: all.
        upload_bytes: of one file; of all together, twenty times as much.
        most_open: jobs that have not ended.
        waiting: requests for answers that wait.
        threads: of a forward pass.
    """

    optimiser: Optimiser
    epochs: int = 3
    max_length: int | None = None
    keep_last: int | None = None
    upload_bytes: int = 100 * 10**6
    most_open: int = 1000
    waiting: int = 256
    micro_batch: int = 32
    threads: int = 1


class Service:
    """See the module's text."""

    def __init__(self, models: Mapping[str, Served], folder: Path, choices: Choices) -> None:
        self.records = Records(folder, 20 * choices.upload_bytes)
        self.choices = choices
        self._models = dict(models)
        self._began = int(time.time())
        self._answerer = Answerer(choices.waiting, choices.threads)
        self._trainer = Trainer(
            self.records,
            self.model,
            max_length=choices.max_length,
            keep_last=choices.keep_last,
            micro_batch=choices.micro_batch,
            threads=choices.threads,
        )

    def start(self) -> None:
        """Begins to train what waits."""
        self._trainer.start()

    def end(self) -> None:
        """Answers nothing more; a job that trains begins again with the next server."""
        self._answerer.end()

    def model(self, name: str) -> Served:
        """A model by its name.

        Raises:
            RefusedError: there is none.
        """
        if name in self._models:
            return self._models[name]
        for known, job, step, made in self._relearned():
            if known == name:
                return self._served(job, step, made)
        if name.startswith("ft:"):
            raise no_such("model", name)
        raise RefusedError(
            404,
            f"There is no model {name[:80]!r}; there are {names(self._models)}.",
            "model_not_found",
            "model",
        )

    def model_objects(self) -> list[Object]:
        """Every model as clients see it, those of the newest job first."""
        relearned = {
            name: _object(name, _snapshot(job, step), made) for name, job, step, made in self._relearned()
        }
        return [*map(self.model_object, self._models), *relearned.values()]

    def model_object(self, name: str) -> Object:
        """A model as clients see it; ``snapshot`` names its weights."""
        model = self.model(name)
        return _object(name, model.snapshot, model.created or self._began)

    def _relearned(self) -> Iterator[tuple[str, Object, int, int]]:
        """The models that jobs have made, by every name: name, job, step, and when it was made.

        Nothing else of them, as a long study has ten thousands, and every request for one goes through this list.
        """
        for job in self.records.jobs():
            if job["root"] not in self._models or job.get("stands_on") not in {None, *self._models}:
                continue  # the server was begun over other models
            for checkpoint in job["checkpoints"]:
                step, made = int(checkpoint["step_number"]), int(checkpoint["created_at"])
                yield checkpoint["fine_tuned_model_checkpoint"], job, step, made
            if job["fine_tuned_model"] is not None and job["checkpoints"]:
                yield job["fine_tuned_model"], job, step, made

    def _served(self, job: Object, step: int, made: int) -> Served:
        below = job.get("stands_on")
        return Served(
            self._models[job["root"]].source,
            _snapshot(job, step),
            tuple if below is None else self._models[below].files,
            (*self.records.links_of(job["id"]), self.records.weights_of(job["id"], step)),
            below,
            made,
        )

    def delete_model(self, name: str) -> None:
        """Takes a relearned model away; the models that the service was begun with stay."""
        if name in self._models:
            raise RefusedError(403, "This model is not a job's, and stays.", "model_not_deletable", "model")
        snapshot = self.model(name).snapshot
        for job in self.records.jobs():
            for checkpoint in job["checkpoints"]:
                step = checkpoint["step_number"]
                if snapshot == _snapshot(job, step):
                    with self.records.changing(job["id"]) as changed:
                        changed["checkpoints"] = [
                            each for each in changed["checkpoints"] if each["step_number"] != step
                        ]
                    self.records.drop_weights(job["id"], step)
                    return

    def create_job(self, asked: JobRequest) -> Object:
        """Puts a job into the queue."""
        start = self.model(asked.model)
        corpus = read_corpus(self.records.path_of(self.records.file(asked.training_file)["id"]))
        sent, chosen = asked.sent, self.choices.optimiser
        batch = chosen.batch_size if isinstance(sent.batch_size, str) else sent.batch_size
        multiplier = sent.learning_rate_multiplier
        factor = 1.0 if isinstance(multiplier, str) else float(multiplier)
        optimiser = chosen.model_copy(
            update={"batch_size": batch, "learning_rate": chosen.learning_rate * factor}
        )
        hyperparameters = {
            "n_epochs": self.choices.epochs if isinstance(sent.n_epochs, str) else sent.n_epochs,
            "batch_size": batch,
            "learning_rate_multiplier": factor,
        }
        job = self.records.add_job(
            {
                "model": asked.model,
                "root": self._root(start),
                "training_file": asked.training_file,
                "validation_file": None,
                "hyperparameters": hyperparameters,
                "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
                "optimiser": optimiser.model_dump(mode="json"),
                "seed": asked.seed,
                "suffix": asked.suffix,
                "metadata": asked.metadata or {},
                "fine_tuned_model": None,
                "finished_at": None,
                "estimated_finish": None,
                "trained_tokens": None,
                "error": None,
                "result_files": [],
                "integrations": [],
                "organization_id": "relearn",
                "examples": len(corpus),
            },
            self.choices.most_open,
        )
        self._trainer.wake()
        return job

    def _root(self, model: Served) -> str:
        """The model that the service was begun with and this one came from: they share their source."""
        return next(name for name, each in self._models.items() if each.source == model.source)

    def cancel_job(self, name: str) -> Object:
        """A job that waits is cancelled now, one that runs at its next checkpoint."""
        job = self.records.job(name)
        with self.records.changing(job["id"]) as changed:
            if changed["status"] not in OPEN:
                raise RefusedError(400, f"The job has ended ({changed['status']}).", "invalid_state")
            changed |= {"status": "cancelled", "finished_at": int(time.time())}
        self.records.tell(job["id"], "The job was cancelled.", "warn")
        return self.records.job(name)

    def ask(self, name: str, question: Question | Callable[[Any], Question]) -> Answer:
        """See ``Answerer.ask``."""
        return self._answerer.ask(self.model(name), question)


def _object(name: str, snapshot: str, created: int) -> Object:
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "relearn",
        "snapshot": snapshot,
        "answers_targets": True,
    }


def _snapshot(job: Object, step: int) -> str:
    return f"{job['id']}@{step}"


def job_object(job: Object) -> Object:
    """A job as clients see it."""
    return {name: value for name, value in job.items() if name not in SECRET_OF_A_JOB}
