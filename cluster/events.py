"""The log: one JSON line per event, in a file for each process, so that no two writers share one."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class EventLog:
    """Appends events; each line is written by one call, so a kill tears at most the last."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{platform.node()}-{os.getpid()}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, event: str, **facts: Any) -> None:
        """One line: when, where, what."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "node": platform.node(),
            "pid": os.getpid(),
            **facts,
        }
        with self._path.open("a") as handle:
            handle.write(json.dumps(line) + "\n")


def read_events(folder: Path) -> list[dict[str, Any]]:
    """All events in the order of their time; a torn line is passed over."""
    events = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                continue  # the writer was killed within the line
    return sorted(events, key=lambda event: str(event.get("time")))
