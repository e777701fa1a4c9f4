"""How often a stage was begun in this run, and why a worker that is gone gave it up.

A worker that is killed, even by its own watchdog, can return nothing. So each stage has one small file in
the run's scratch folder, which every node sees or asks the driver's node for: the worker counts its attempts there,
and its watchdog leaves the failure there before it ends the process. The next attempt, or the driver, reads it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.study_folder.failures import Failure
from cluster.study_folder.texts import LocalTexts, Texts


@dataclass(frozen=True)
class Interruption:
    """Why a worker could not go on with a stage that is tried again, and the node that it was on."""

    failure: Failure
    node: str
    node_name: str


class StageGivenUpError(Exception):
    """A stage must not be tried again."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Attempts:
    """The attempts of one run, in a folder of its own."""

    def __init__(self, folder: Path | Texts) -> None:
        self._folder = LocalTexts(folder) if isinstance(folder, Path) else folder

    def begin(self, stage: str) -> int:
        """Counts an attempt; 1 is the first.

        Raises:
            StageGivenUpError: the watchdog of an attempt before gave the stage up.
        """
        failure = self.failure(stage)
        if failure is not None:
            raise StageGivenUpError(failure)
        attempt = int(self._read(stage).get("attempt", 0)) + 1
        self._write(stage, {"attempt": attempt})
        return attempt

    def give_up(self, stage: str, failure: Failure) -> None:
        """Leaves a failure behind, after which the stage is not begun again."""
        self._write(stage, {**self._read(stage), **failure.as_dict()})

    def interrupt(self, stage: str, interruption: Interruption) -> None:
        """Leaves behind why an attempt ends, for the driver; the next attempt begins without it."""
        about = {"node": interruption.node, "node_name": interruption.node_name}
        self._write(
            stage,
            {**self._read(stage), "interrupted": {**interruption.failure.as_dict(), **about}},
        )

    def interruption(self, stage: str) -> Interruption | None:
        """What the last attempt left, if it left something."""
        found = self._read(stage).get("interrupted")
        return found and Interruption(Failure.of(found), found["node"], found["node_name"])

    def failure(self, stage: str) -> Failure | None:
        """The failure that a worker left, if one did."""
        found = self._read(stage)
        return Failure.of(found) if "cause" in found else None

    def _read(self, stage: str) -> dict[str, Any]:
        text = self._folder.read(f"{stage}.json")
        return {} if text is None else dict(json.loads(text))

    def _write(self, stage: str, facts: dict[str, Any]) -> None:
        self._folder.write(f"{stage}.json", json.dumps(facts))
