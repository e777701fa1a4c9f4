"""What an arm did, read back from what it left: steps, tokens, seconds, and a digest of every cell's answers."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.comparison.workloads import AXES, name_of
from cluster.storage.local_store import LocalStore
from cluster.study_folder.event_log import read_events
from study.results.files import read_dataset

KINDS = ("finetune", "unlearn", "relearn")


def digest(answers: Iterable[Mapping[str, Any]]) -> str:
    """Of every completion, likelihood and rank, to the last bit."""
    rows = sorted(
        (row["probe"], row["completion"], float(row["target_nll"]).hex(), int(row["target_rank"]))
        for row in answers
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def of_cells(folder: Path) -> dict[str, Any]:
    """Of a plain arm: a file a cell."""
    train = {kind: {"steps": 0, "tokens": 0, "seconds": 0.0} for kind in KINDS}
    cells, first = {}, []
    evaluations, seconds, workers = 0, 0.0, set()
    for path in sorted((folder / "cells").glob("*.json")):
        content = json.loads(path.read_text())
        account = content["account"]
        cells[name_of(content["cell"])] = digest(content["answers"])
        workers.add(content["pid"])
        evaluations += account["evaluations"]
        seconds += account["evaluation_seconds"]
        if "first_step" in account:
            first.append(account["first_step"])
        for kind, taken in account["train"].items():
            for name, amount in taken.items():
                train[kind][name] += amount
    return {
        "cells": cells,
        "train": train,
        "evaluations": evaluations,
        "evaluation_seconds": seconds,
        "first_step": min(first),
        "workers": len(workers),
    }


def of_study(folder: Path) -> dict[str, Any]:
    """Of this project: its log, its store and its rows."""
    train = {kind: {"steps": 0, "tokens": 0, "seconds": 0.0} for kind in KINDS}
    events = read_events(folder / "log")
    kinds = {event["stage"]: event["kind"] for event in events if event["event"] == "stage started"}
    ended = [event for event in events if event["event"] == "stage finished"]
    for event in ended:
        if event["train_steps"]:
            train[kinds[event["stage"]]]["steps"] += event["train_steps"]
            train[kinds[event["stage"]]]["seconds"] += event["train_seconds"]
    store = LocalStore(folder / "store")
    tokens: dict[str, int] = {}
    for address in store.addresses():
        found = int(store.record(address)["facts"]["train_tokens"])
        tokens[address.key] = max(found, tokens.get(address.key, 0))
    for key, found in tokens.items():
        if kinds[key] in train:
            train[kinds[key]]["tokens"] += found
    trained = {event["stage"] for event in ended if event["train_steps"]}
    began = [
        datetime.fromisoformat(event["time"]).timestamp()
        for event in events
        if event["event"] == "stage started" and event["stage"] in trained
    ]
    return {
        "cells": _cells(folder),
        "train": train,
        "evaluations": sum(event["evaluations"] for event in ended),
        "evaluation_seconds": sum(event["evaluation_seconds"] for event in ended),
        "first_step": min(began),
        "workers": len({event["pid"] for event in ended}),
    }


def _cells(folder: Path) -> dict[str, str]:
    """The digests of the grid's cells; the study's reference cells are no cells of the grid."""
    answers: dict[str, list[dict[str, Any]]] = {}
    columns = [*AXES, "start", "probe", "completion", "target_nll", "target_rank"]
    for row in read_dataset(folder, "probes", columns).to_pylist():
        if row["start"] == "unlearned":
            answers.setdefault(name_of(row), []).append(row)
    return {name: digest(rows) for name, rows in answers.items()}
