"""Why stages fail: the one list of causes, and the record of each failure in a study's folder.

A failure has one cause of ``Cause``, the message of this one failure, and what the table ``ABOUT`` says of its cause:
whether the same run tries the stage again, and what to do. Workers, the driver, ``relearn status`` and ``relearn
logs`` take it from here. A record, DIR/failures/KEY.json, goes away once its stage succeeds.
"""

import json
import platform
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from cluster.storage.disk_full import full, is_full
from cluster.storage.retry import StorageRefusedError, is_outage
from cluster.study_folder.gpu_errors import GpuError, gpu_error
from cluster.study_folder.lease import Lease
from cluster.study_folder.redaction import redacted
from study.artifacts.atomic_write import write_json
from study.errors import DeviceError, DivergedError, GangError, IntegrityError, RelearnError
from study.performing.service.errors import MissingCheckpointError, ServiceRefusedError, ServiceSilentError
from study.planning.plan import Plan


class Cause(StrEnum):
    """Why a stage failed, as it is spelled in files and on the screen."""

    DIVERGED = "diverged"
    USER = "user"
    ERROR = "error"
    INTEGRITY = "integrity"
    DISK = "disk"
    STORAGE = "storage"
    REFUSED = "refused"
    DENIED = "storage denies"
    TIME = "time"
    MEMORY = "out of memory"
    SERVICE_SILENT = "service silent"
    SERVICE_REFUSED = "service refused"
    NO_CHECKPOINT = "no checkpoint"
    NO_GPU = "no gpu"
    SICK_CARD = "sick card"
    NODE_MEMORY = "node out of memory"
    LOST_NODE = "lost node"
    LOST_WORKER = "lost worker"


class About(NamedTuple):
    """What is the same for all failures of one cause."""

    meaning: str
    tried_again: bool
    """By the same run, up to execution.retries times; what would fail again in the same way is not."""
    remedy: str


ABOUT: Mapping[Cause, About] = {
    Cause.DIVERGED: About(
        "training left the finite numbers",
        False,
        "lower the learning rate, or clip gradients (gradient_clip)",
    ),
    Cause.USER: About("what the study asks for cannot be computed", False, "change what the message names"),
    Cause.ERROR: About("an error in the code", False, "mend the code that the message names, then resume"),
    Cause.INTEGRITY: About(
        "an artifact of the stage before is damaged",
        False,
        "move it aside with `relearn verify` and --repair, then resume",
    ),
    Cause.DISK: About("the disk is full, and the study ends", False, "make room, then resume"),
    Cause.STORAGE: About("storage did not answer", True, "resume when storage answers again"),
    Cause.REFUSED: About(
        "storage answered with a refusal",
        False,
        "make what the message names readable and writable, then resume",
    ),
    Cause.DENIED: About(
        "the bucket denies access (credentials, rights, no such bucket), and the study ends",
        False,
        "give what the message names, then resume",
    ),
    Cause.TIME: About(
        "longer than execution.time_limit_seconds",
        False,
        "give the command again with a longer --set execution.time_limit_seconds=…",
    ),
    Cause.MEMORY: About(
        "no memory left for the stage",
        False,
        "lower execution.micro_batch, train adapters (lora), or raise execution.memory_limit_gb where it is set",
    ),
    Cause.SERVICE_SILENT: About("the service did not answer", True, "resume when it answers again"),
    Cause.SERVICE_REFUSED: About(
        "the service refused the text, the job or the question, which is a result of the study",
        False,
        "nothing, if that is the answer; else change what the message names, or ask with another seed",
    ),
    Cause.NO_CHECKPOINT: About(
        "the service kept no checkpoint at a step that the study asks for; the cells of that step are missing",
        False,
        "ask for steps in relearn_steps that the message names",
    ),
    Cause.NO_GPU: About(
        "the worker could use no GPU, and the stage asks for one",
        True,
        "mend what the message names (driver, CUDA_VISIBLE_DEVICES, a torch without CUDA) on that node, then resume",
    ),
    Cause.SICK_CARD: About(
        "the GPU or its driver reported a fault, and the worker was ended",
        True,
        "look at the card of the node that the message names (nvidia-smi, dmesg), then resume",
    ),
    Cause.NODE_MEMORY: About(
        "the node had no memory left, and Ray ended the worker",
        True,
        "raise execution.cpus, so that fewer stages run at once, then resume",
    ),
    Cause.LOST_NODE: About("the node went away", True, "resume"),
    Cause.LOST_WORKER: About(
        "the worker's process ended", True, "resume; if it comes again, look into the log of the node"
    ),
}


@dataclass(frozen=True)
class Failure:
    """One failure of one stage: plain data as ``as_dict`` gives it, between processes and in files."""

    cause: Cause
    message: str

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Failure":
        """From plain data."""
        return cls(Cause(facts["cause"]), str(facts["message"]))

    @classmethod
    def of_error(cls, error: BaseException, disk: Path) -> "Failure":
        """From what a stage raised.

        Args:
            disk: a folder on the disk that the store fills, which is named where it is full.
        """
        words = in_words(error)
        if is_full(error):
            return cls(Cause.DISK, str(full(disk)))
        if isinstance(error, OSError):
            return cls(Cause.STORAGE if is_outage(error) else Cause.REFUSED, words)
        if isinstance(error, StorageRefusedError):
            return cls(Cause.DENIED, words)
        if isinstance(error, DivergedError):
            return cls(Cause.DIVERGED, words)
        if isinstance(error, IntegrityError):
            return cls(Cause.INTEGRITY, words)
        if isinstance(error, ServiceSilentError):
            return cls(Cause.SERVICE_SILENT, words)
        if isinstance(error, ServiceRefusedError):
            return cls(Cause.SERVICE_REFUSED, words)
        if isinstance(error, MissingCheckpointError):
            return cls(Cause.NO_CHECKPOINT, words)
        if isinstance(error, GangError):
            return cls(Cause.LOST_WORKER, words)
        if isinstance(error, DeviceError):
            return cls(Cause.NO_GPU, words)
        of_gpu = gpu_error(error)
        if isinstance(error, MemoryError) or of_gpu is GpuError.MEMORY:
            return cls(Cause.MEMORY, words)
        if of_gpu is GpuError.CARD:
            return cls(Cause.SICK_CARD, f"{platform.node()}: {next(iter(words.splitlines()))}")
        if isinstance(error, RelearnError):
            return cls(Cause.USER, words)
        last = traceback.extract_tb(error.__traceback__)[-1]
        return cls(Cause.ERROR, f"{words} (at {Path(last.filename).name}:{last.lineno})")

    @property
    def tried_again(self) -> bool:
        """Whether the same run tries the stage again."""
        return ABOUT[self.cause].tried_again

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return ABOUT[self.cause].remedy

    def as_dict(self) -> dict[str, str]:
        """Plain data."""
        return {"cause": self.cause.value, "message": self.message}


class FailureRecords:
    """The records of failures in a study's folder."""

    def __init__(self, study_folder: Path) -> None:
        self._folder = study_folder / "failures"

    def write(self, lease: Lease, plan: Plan, key: str, failure: Failure) -> dict[str, str]:
        """Keeps why a stage failed; returns the facts that were kept."""
        facts = {
            "stage": key,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "kind": plan.stages[key].kind,
            "label": label(plan, key),
            **failure.as_dict(),
            "remedy": failure.remedy,
        }
        lease.check()
        write_json(self._folder / f"{key}.json", redacted(facts))
        return facts

    def forget(self, lease: Lease, key: str) -> None:
        """The stage has succeeded now."""
        lease.check()
        (self._folder / f"{key}.json").unlink(missing_ok=True)

    def read(self) -> dict[str, dict[str, Any]]:
        """Stage key → why it failed last."""
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in self.files()}

    def files(self) -> list[Path]:
        """The records' files."""
        return sorted(self._folder.glob("[!.]*.json"))


def in_words(error: BaseException) -> str:
    """An error in one line: ours explain themselves, others need their type."""
    return str(error) if isinstance(error, RelearnError) else f"{type(error).__name__}: {error}"


def label(plan: Plan, key: str) -> str:
    """A stage for a person: its kind, and the coordinates of the first cell that depends on it."""
    stage = plan.stages[key]
    cells = plan.cells_of[key]
    if not cells:
        return stage.kind
    cell = cells[0]
    parts = {
        "start": cell.start,
        "repetitions": cell.repetitions,
        "depth": cell.depth if stage.kind == "relearn" else None,
        "corpus": cell.corpus if stage.kind == "relearn" else None,
        "seed": cell.seed,
    }
    words = ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)
    return f"{stage.kind} ({words})"
