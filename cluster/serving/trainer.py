"""The one thread that trains: a job at a time, in the order in which they were created.

A job is a relearning as ``study.training.loop`` computes it: E epochs are E · ⌈n / batch⌉ steps, with a checkpoint at
the end of each. A job that was cut off begins again, and since training is deterministic it comes to the same.
"""

import math
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from cluster.serving.errors import RefusedError
from cluster.serving.records import OPEN, Object, Records
from cluster.serving.served_models import Served
from cluster.serving.training_file import read_corpus
from cluster.storage.disk_full import is_full
from study.artifacts.atomic_write import write_file
from study.errors import DivergedError, PreflightError
from study.planning.stages import Checkpoint, Trajectory
from study.settings.optimiser import Optimiser
from study.text.examples import Corpus

if TYPE_CHECKING:  # torch comes with it
    from study.models.adapters.product import Product
    from study.performing.residents import Residents
    from study.training.training_state import Progress


PAUSE_SECONDS = 5.0
"""Between two tries to write."""


class _CancelledError(Exception):
    """Somebody cancelled the job that runs."""


class Trainer:
    """See the module's text.

    Args:
        model: gives a model by its name, see ``Service.model``.
        max_length: where texts are cut off, in tokens.
        keep_last: checkpoints that a job keeps; None: all.
        micro_batch, threads: execution.
    """

    def __init__(
        self,
        records: Records,
        model: Callable[[str], Served],
        *,
        max_length: int | None,
        keep_last: int | None,
        micro_batch: int,
        threads: int,
    ) -> None:
        self._records = records
        self._model = model
        self._max_length = max_length
        self._keep_last = keep_last
        self._micro_batch = micro_batch
        self._threads = threads
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trainer", daemon=True)

    def start(self) -> None:
        """Begins with what an earlier server left."""
        for job in self._records.jobs():
            if job["status"] in ("running", "validating_files"):
                with self._records.changing(job["id"]) as changed:
                    changed["status"] = "queued"
                self._records.tell(job["id"], "The service was restarted; the job begins again.", "warn")
        self._thread.start()

    def wake(self) -> None:
        """There is a job."""
        self._wake.set()

    def _run(self) -> None:
        from study.models.hardware import use_threads
        from study.performing.residents import Residents

        use_threads(self._threads)
        residents = Residents()
        while True:
            self._wake.clear()
            queued = [job for job in self._records.jobs() if job["status"] == "queued"]
            if not queued:
                self._wake.wait()
                continue
            try:
                self._train(queued[-1], residents)
            except Exception as error:
                self._fail_by(queued[-1]["id"], error)

    def _train(self, job: Object, residents: "Residents") -> None:
        known = job["id"]
        try:
            tokens = self._steps(job, residents)
        except _CancelledError:
            return
        except RefusedError as error:
            self._fail(known, error.code or "invalid_request", error.message)
        except DivergedError:
            self._fail(
                known, "training_diverged", "The loss left the finite numbers; lower the learning rate."
            )
        except FileNotFoundError:  # somebody took it out of the folder
            self._fail(known, "not_found", "The model's weights or the training file are not there any more.")
        else:
            made: list[str] = []

            def succeed(job: Object) -> None:
                made[:] = [each["fine_tuned_model_checkpoint"] for each in job["checkpoints"]]
                if made:
                    job |= {
                        "status": "succeeded",
                        "fine_tuned_model": made[-1].rpartition(":ckpt-")[0],
                        "finished_at": int(time.time()),
                        "trained_tokens": tokens,
                    }

            if not self._ended(known, succeed):
                return
            if made:
                self._records.tell(known, "The job has succeeded.")
            else:
                self._fail(
                    known, "checkpoints_deleted", "All checkpoints of the job were deleted before its end."
                )

    def _fail_by(self, known: str, error: Exception) -> None:
        """Of what is no fault of the job."""
        if is_full(error):
            self._fail(known, "storage_full", "The service's disk is full; create the job again later.")
        else:
            traceback.print_exception(error, file=sys.stderr)
            self._fail(known, "server_error", "The service failed; the job can be created again.")

    def _fail(self, known: str, code: str, message: str) -> None:
        def fail(job: Object) -> None:
            job |= {
                "status": "failed",
                "finished_at": int(time.time()),
                "error": {"code": code, "message": message, "param": None},
            }

        if self._ended(known, fail):
            self._records.tell(known, message, "error")

    def _ended(self, known: str, change: Callable[[Object], None]) -> bool:
        """Writes a job's end down, however long that takes on a full disk; False where it has ended already."""
        said = False
        while True:
            try:
                with self._records.changing(known) as changed:
                    if changed["status"] not in OPEN:
                        return False
                    change(changed)
                return True
            except OSError as error:
                if not said:
                    sys.stderr.write(f"{error}: the end of job {known} waits until it can be written down\n")
                said = True
                time.sleep(PAUSE_SECONDS)

    def _steps(self, job: Object, residents: "Residents") -> int:
        """Trains, and keeps a checkpoint after each epoch; how many tokens were seen."""
        from study.training.encoding import encode
        from study.training.loop import train

        known = job["id"]
        with self._records.changing(known) as changed:
            if changed["status"] != "queued":
                raise _CancelledError
            changed["status"] = "running"
        self._records.tell(known, "The job has started.")
        model = self._model(job["model"])
        resident = residents.get(model.source)
        model.load(resident)
        corpus = read_corpus(self._records.path_of(job["training_file"]))
        try:
            rows = encode(corpus, resident.tokenizer, resident.context, self._max_length)
        except PreflightError as error:  # of a text, which it quotes
            what = str(error).partition(": ")[
                0
            ]  # what follows names options of a study, which a client has not
            raise RefusedError(400, f"{what}.", "invalid_training_file") from None
        optimiser = Optimiser.model_validate(job["optimiser"])
        if optimiser.lora is not None:
            self._records.keep_links(known, model.made)
            with self._records.changing(known) as changed:
                if "stands_on" not in changed:  # checkpoints of an older version, which kept all weights
                    changed["checkpoints"] = []
                changed["stands_on"] = model.stands_on if job["model"].startswith("ft:") else job["model"]
        epochs = int(job["hyperparameters"]["n_epochs"])
        steps_of_epoch = math.ceil(len(rows) / optimiser.batch_size)
        stops = range(steps_of_epoch, epochs * steps_of_epoch + 1, steps_of_epoch)
        train(
            _trajectory(model, corpus, optimiser, int(job["seed"]), self._max_length),
            resident,
            last_step=stops[-1],
            stops=stops,
            reached=partial(self._checkpoint, known, resident),
            micro_batch=self._micro_batch,
        )
        return epochs * sum(len(row.ids) for row in rows)

    def _checkpoint(
        self, known: str, resident: Any, step: int, progress: "Progress", product: "Product | None"
    ) -> None:
        del progress
        job = self._records.job(known)
        if job["status"] != "running":
            raise _CancelledError
        path = self._records.weights_of(known, step)
        if any(each["step_number"] == step for each in job["checkpoints"]) and path.exists():
            return  # of before a restart; the same to the bit
        write_file(path, (resident if product is None else product).save)
        # By the model that the first job started from: with all names before, it would grow with each job upon a job.
        first = job["model"].removeprefix("ft:").partition(":")[0]
        name = f"ft:{first}:{job['suffix'] or 'relearned'}:{known[-8:]}"
        made = {
            "id": f"ftckpt-{known[-16:]}-{step}",
            "object": "fine_tuning.job.checkpoint",
            "created_at": int(time.time()),
            "fine_tuned_model_checkpoint": f"{name}:ckpt-step-{step}",
            "fine_tuning_job_id": known,
            "metrics": {"step": step},
            "step_number": step,
        }
        with self._records.changing(known) as changed:
            kept = [each for each in changed["checkpoints"] if each["step_number"] != step]
            kept.append(made)
            gone = kept[: -self._keep_last] if self._keep_last is not None else []
            changed["checkpoints"] = kept[len(gone) :]
        for each in gone:
            self._records.drop_weights(known, each["step_number"])
        self._records.tell(known, f"Checkpoint at step {step}.")


def _trajectory(
    model: Served, corpus: Corpus, optimiser: Optimiser, seed: int, max_length: int | None
) -> Trajectory:
    start = Checkpoint(model.source, 0)
    return Trajectory("relearn", start, None, corpus, None, optimiser, seed, max_length=max_length)
