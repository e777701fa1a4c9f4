"""The log: one JSON line per event, in a file for each process, so that no two writers share one."""

import contextlib
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster.study_folder.redaction import redacted
from cluster.study_folder.texts import LocalTexts, Texts
from study.errors import SpecError, command_line


class EventLog:
    """Appends events; each line is written by one call, so a kill tears at most the last.

    A full disk stops no work: a line that cannot be written is kept, and written with the next.
    """

    def __init__(self, folder: Path | Texts) -> None:
        self._kept = ""
        self._name = f"{platform.node()}-{os.getpid()}.jsonl"
        if isinstance(folder, Path):
            folder.mkdir(parents=True, exist_ok=True)
            folder = LocalTexts(folder)
        self._texts = folder

    def write(self, event: str, **facts: Any) -> None:
        """One line: when, where, what."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "node": platform.node(),
            "pid": os.getpid(),
            **facts,
        }
        self._kept += json.dumps(redacted(line)) + "\n"
        with contextlib.suppress(OSError):
            self._texts.append(self._name, self._kept)
            self._kept = ""

    def storage_failed(self, error: OSError, pause: float) -> None:
        """For ``with_retries``: what failed, and the seconds until it is tried again."""
        self.write("storage does not answer", cause=str(error), pause=pause)


def read_events(folder: Path) -> list[dict[str, Any]]:
    """All events in the order of their time; a torn line is passed over."""
    events = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                events.append(json.loads(line))
            except ValueError:
                continue  # the writer was killed within the line
    return sorted(events, key=lambda event: str(event.get("time")))


def events_of(folder: Path, stage: str | None) -> list[dict[str, Any]]:
    """The events of one stage, or of all.

    Args:
        stage: a stage's key, or how it begins.

    Raises:
        SpecError: no stage of that name has been begun, or several have.
    """
    events = read_events(folder)
    if stage is None:
        return events
    keys = sorted({str(event["stage"]) for event in events if str(event.get("stage", "")).startswith(stage)})
    if len(keys) != 1:
        found = (
            "several: " + ", ".join(keys[:4])
            if keys
            else f"none; `{command_line('logs', folder.parent)}` shows all"
        )
        raise SpecError(f"stage {stage}: expected the beginning of one stage's key in the log, found {found}")
    return [event for event in events if event.get("stage") == keys[0]]


def in_words(event: dict[str, Any]) -> str:
    """One line for a person: when, where, what, and the facts."""
    first = ("time", "node", "pid", "event", "stage")
    facts = " ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in event.items()
        if name not in first and value is not None
    )
    when = str(event.get("time", ""))[:23].replace("T", " ")
    words = (when, f"{event.get('node')}:{event.get('pid')}", event.get("event"), event.get("stage"), facts)
    return "  ".join(str(word) for word in words if word)
