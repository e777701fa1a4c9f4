"""What the service keeps on disk: files, jobs with their checkpoints and events. It survives a restart.

    STATE/files/ID.json, ID.jsonl      an uploaded file: its object, its bytes
    STATE/jobs/ID.json, ID.events      a job with its checkpoints; a line for each event
    STATE/weights/ID/step-N.safetensors        a checkpoint: all weights, or an adapter
    STATE/weights/ID/upon-N.safetensors        what earlier jobs made and such adapters stand upon

Every file appears whole or not at all; what a server that was killed left of others is taken away by the next one. An
id is drawn here and looked up in memory, so that no id of a request ever
becomes a path. All methods may be called from any thread.
"""

import json
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cluster.serving.errors import RefusedError, no_such
from cluster.storage.disk_full import is_full
from study.artifacts.atomic_write import write_bytes, write_json
from study.errors import PreflightError

OPEN = ("validating_files", "queued", "running")
"""A job with another status has ended."""
FIELDS = {
    "files": ("created_at", "bytes"),
    "jobs": ("created_at", "number", "status", "checkpoints", "root", "metadata", "training_file"),
}
"""What is read of every record, beside its id."""
Object = dict[str, Any]


class Records:
    """See the module's text.

    Args:
        most_bytes: of all uploaded files together.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.RLock()
        for name in ("files", "jobs", "weights"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._files = self._read("files")
        self._jobs = self._read("jobs")
        self._tidy()

    # files

    def add_file(self, name: str, content: bytes) -> Object:
        """Keeps an uploaded file."""
        with self._lock:
            taken = sum(int(each["bytes"]) for each in self._files.values())
            if taken + len(content) > self._most_bytes:
                raise RefusedError(
                    413,
                    f"The files would take more than {self._most_bytes // 10**6:,} MB together; delete some.",
                    "storage_full",
                )
            name_of_file = _new_id("file")
            made: Object = {
                "id": name_of_file,
                "object": "file",
                "bytes": len(content),
                "created_at": int(time.time()),
                "filename": name,
                "purpose": "fine-tune",
                "status": "processed",
            }
            try:
                write_bytes(self.path_of(name_of_file), content)
                write_json(self.folder / "files" / f"{name_of_file}.json", made)
            except OSError:  # bytes without a record would fill a full disk until the next server begins
                self.path_of(name_of_file).unlink(missing_ok=True)
                raise
            self._files[name_of_file] = made
            return made

    def files(self) -> list[Object]:
        """All files, the newest first."""
        with self._lock:
            return list(reversed(self._files.values()))

    def file(self, name: str) -> Object:
        """A file's object."""
        with self._lock:
            if name not in self._files or not self.path_of(name).exists():
                raise no_such("file", name)
            return self._files[name]

    def path_of(self, known: str) -> Path:
        """Where a file's bytes lie; only for an id that ``file`` knows."""
        return self.folder / "files" / f"{known}.jsonl"

    def delete_file(self, name: str) -> None:
        """Takes a file away that no job waits for."""
        with self._lock:
            known = self.file(name)["id"]
            if any(job["training_file"] == known and job["status"] in OPEN for job in self._jobs.values()):
                raise RefusedError(
                    409, "A job that has not ended needs this file; cancel it first.", "file_in_use"
                )
            (self.folder / "files" / f"{known}.json").unlink(missing_ok=True)
            self.path_of(known).unlink(missing_ok=True)
            del self._files[known]

    # jobs

    def add_job(self, fields: Mapping[str, Any], most_open: int) -> Object:
        """Puts a job into the queue.

        Raises:
            RefusedError: as many wait as may.
        """
        with self._lock:
            if sum(job["status"] in OPEN for job in self._jobs.values()) >= most_open:
                raise RefusedError(
                    429,
                    f"{most_open:,} jobs wait already; try again when some have ended.",
                    "rate_limit_exceeded",
                    headers={"Retry-After": "5"},
                )
            made = {
                "id": _new_id("ftjob"),
                "object": "fine_tuning.job",
                "created_at": int(time.time()),
                "status": "queued",
                "number": 1 + max((int(job["number"]) for job in self._jobs.values()), default=0),
                "checkpoints": [],
                **fields,
            }
            self._keep(made)  # first on the disk: where that is full, there is no job
            self._jobs[made["id"]] = made
        self.tell(made["id"], "The job was created and waits in the queue.")
        return made

    def jobs(self) -> list[Object]:
        """All jobs, the newest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: -int(job["number"]))

    def job(self, name: str) -> Object:
        """A job, as it is now."""
        with self._lock:
            if name not in self._jobs:
                raise no_such("fine-tuning job", name)
            return self._jobs[name]

    @contextmanager
    def changing(self, known: str) -> Iterator[Object]:
        """A job to be changed in the block; others see it, and the disk has it, when the block ends."""
        with self._lock:
            job = json.loads(json.dumps(self._jobs[known]))
            yield job
            self._keep(job)
            self._jobs[known] = job

    def weights_of(self, job: str, step: int) -> Path:
        """Where the weights of a checkpoint lie."""
        return self.folder / "weights" / job / f"step-{step}.safetensors"

    def links_of(self, job: str) -> list[Path]:
        """What earlier jobs made and the adapters of this one stand upon, in order."""
        folder = self.folder / "weights" / job
        return [folder / f"upon-{at}.safetensors" for at in range(self.job(job).get("links", 0))]

    def keep_links(self, job: str, made: Sequence[Path]) -> None:
        """Keeps them for a job, so that the models of earlier jobs can be deleted."""
        with self.changing(job) as changed:
            changed["links"] = len(made)
        for to, path in zip(self.links_of(job), made, strict=True):
            to.parent.mkdir(parents=True, exist_ok=True)
            to.unlink(missing_ok=True)
            try:
                to.hardlink_to(path)
            except OSError:  # a file system without links
                shutil.copyfile(path, to)

    def drop_weights(self, job: str, step: int) -> None:
        """Deletes the file of a checkpoint, and what it stood upon after the last of its job."""
        self.weights_of(job, step).unlink(missing_ok=True)
        if not self.job(job)["checkpoints"]:
            for path in self.links_of(job):
                path.unlink(missing_ok=True)

    def tell(self, job: str, message: str, level: str = "info") -> None:
        """Adds an event to a job."""
        event = {
            "object": "fine_tuning.job.event",
            "id": _new_id("ftevent"),
            "created_at": int(time.time()),
            "level": level,
            "message": message,
            "type": "message",
            "data": {},
        }
        try:
            with self._lock, (self.folder / "jobs" / f"{job}.events").open("ab") as handle:
                handle.write(b"\n" + json.dumps(event).encode())  # what stands before may be half a line
        except OSError as error:
            if not is_full(error):  # what it tells of is done, and stands in the job
                raise

    def events(self, name: str) -> list[Object]:
        """A job's events, the newest first."""
        known = self.job(name)["id"]
        found = []
        with self._lock:
            path = self.folder / "jobs" / f"{known}.events"
            # There is none where the server was killed between the job and its first event.
            lines = path.read_bytes().splitlines() if path.exists() else []
            for line in lines:
                try:
                    found.append(json.loads(line))
                except ValueError:  # an empty one, or what a killed server was writing
                    continue
        return found[::-1]

    def _keep(self, job: Object) -> None:
        write_json(self.folder / "jobs" / f"{job['id']}.json", job)

    def _read(self, name: str) -> dict[str, Object]:
        found = [self._record(path, FIELDS[name]) for path in (self.folder / name).glob("[!.]*.json")]
        found.sort(key=lambda each: (each["created_at"], each.get("number", 0)))
        return {each["id"]: each for each in found}

    def _record(self, path: Path, fields: Sequence[str]) -> Object:
        try:
            found = json.loads(path.read_bytes())
            if found["id"] == path.stem and all(field in found for field in fields):
                return dict(found)
        except (ValueError, TypeError, KeyError):
            pass
        raise PreflightError(
            f"{path}: expected a record that `relearn serve` wrote; take the file away to go on without what it is of"
        )

    def _tidy(self) -> None:
        """Takes away what no record names, of writes that a killed server did not end."""
        named = {self.path_of(name) for name in self._files}
        for job in self._jobs.values():
            named |= {self.weights_of(job["id"], int(each["step_number"])) for each in job["checkpoints"]}
            if job["status"] in OPEN:  # its steps are made again
                named |= set((self.folder / "weights" / job["id"]).glob("step-*.safetensors"))
        unnamed = [*self.folder.glob("files/*.jsonl"), *self.folder.glob("weights/*/step-*.safetensors")]
        partly = [each for name in ("files", "jobs", "weights/*") for each in self.folder.glob(f"{name}/.*")]
        for path in {*unnamed, *partly} - named:
            path.unlink(missing_ok=True)


def _new_id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(12)}"
