"""How often a stage was begun in this run, and why a worker that is gone gave it up.

A worker that is killed, even by its own watchdog, can return nothing. So each stage has one small file in
the run's scratch folder, which every node sees: the worker counts its attempts there, and its watchdog leaves
its reason there before it ends the process. The next attempt, or the driver, reads it.
"""

import json
from pathlib import Path

from study.atomic_write import write_json


class StageGivenUpError(Exception):
    """A stage must not be tried again; its words say why."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class Attempts:
    """The attempts of one run, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, stage: str) -> int:
        """Counts an attempt; 1 is the first.

        Raises:
            StageGivenUpError: the watchdog of an attempt before gave the stage up.
        """
        before = self._read(stage)
        if "cause" in before:
            raise StageGivenUpError(str(before["cause"]), str(before["message"]))
        attempt = int(str(before.get("attempt", 0))) + 1
        self._write(stage, {"attempt": attempt})
        return attempt

    def give_up(self, stage: str, cause: str, message: str) -> None:
        """Leaves a reason behind."""
        self._write(stage, {**self._read(stage), "cause": cause, "message": message})

    def reason(self, stage: str) -> tuple[str, str] | None:
        """Cause and message that a worker left, if one did."""
        found = self._read(stage)
        return (str(found["cause"]), str(found["message"])) if "cause" in found else None

    def _read(self, stage: str) -> dict[str, object]:
        try:
            return dict(json.loads((self._folder / f"{stage}.json").read_text()))
        except FileNotFoundError:
            return {}

    def _write(self, stage: str, facts: dict[str, object]) -> None:
        # Not durable: the folder belongs to one run, which a power cut ends.
        write_json(self._folder / f"{stage}.json", facts, durable=False)
