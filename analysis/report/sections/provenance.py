"""Where the numbers come from: the spec, the versions, the command, where the time went, what sharing saved."""

import json
from typing import Any

import pandas as pd
import yaml

from analysis.reading.study_frames import Study
from analysis.report.elements import Section, Table, Text
from study.results.spec_entries import entries, in_words

SPEC = "The resolved spec, all of it: saved as study.yaml, `relearn run study.yaml` computes this study"
KINDS = ("base", "finetune", "reinforce", "unlearn", "relearn")


def provenance(study: Study) -> Section:
    """The last section of a study's chapter."""
    facts = dict(study.content.get("provenance", {}))
    spec = study.content.get("spec", {})
    axes = study.content.get("axes", {})
    about = [(name, ", ".join(map(str, values))) for name, values in axes.items()]
    if study.content.get("overrides"):
        about.append(("overrides", "; ".join(map(str, study.content["overrides"]))))
    about += [("begun", str(study.content["created"]))] if "created" in study.content else []
    about += [
        (path.replace("_", " ").replace(".", ": "), _shown(value))
        for path, value in entries(facts).items()
        if value != {}
    ]
    tables = [_named(about, "How it was run")]
    times = stage_times(study)
    if len(times):
        tables.append(_times(times))
    spec_text = Text(SPEC, yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=110))
    return Section(
        "provenance",
        "Where this comes from",
        tuple(_words(study, times)),
        tables=tuple(tables),
        texts=(spec_text,) if spec else (),
    )


def stage_times(study: Study) -> pd.DataFrame:
    """Wall seconds of stages by kind.

    Returns:
        A row per kind: ``stages``, ``train_seconds``, ``evaluation_seconds``; from the log of the study's folder, in
        which stages that were begun again count again; without a log, from the rows that were accepted.
    """
    found = _from_log(study)
    if found.empty:
        found = _from_rows(study.cells)
    if found.empty:
        return found
    sums = found.groupby("kind").agg(
        stages=("kind", "size"),
        train_seconds=("train_seconds", "sum"),
        evaluation_seconds=("evaluation_seconds", "sum"),
    )
    order = [kind for kind in KINDS if kind in sums.index] + [
        kind for kind in sums.index if kind not in KINDS
    ]
    return sums.loc[order].reset_index()


def _from_log(study: Study) -> pd.DataFrame:
    kinds: dict[str, str] = {}
    finished = []
    for path in study.location.files(".jsonl", "log"):
        for line in study.location.read(path).decode(errors="replace").splitlines():
            if '"stage started"' not in line and '"stage finished"' not in line:
                continue
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the writer was killed within the line
            if event["event"] == "stage started":
                kinds[event["stage"]] = event.get("kind", "unknown")
            else:
                finished.append(event)
    return pd.DataFrame(
        [
            {
                "kind": kinds.get(event["stage"], "unknown"),
                "train_seconds": float(event.get("train_seconds", 0.0)),
                "evaluation_seconds": float(event.get("evaluation_seconds", 0.0)),
            }
            for event in finished
        ]
    )


def _from_rows(cells: pd.DataFrame) -> pd.DataFrame:
    if cells.empty:
        return pd.DataFrame()
    once = cells.drop_duplicates(["stage", "stage_step"])
    kind = pd.Series("finetune", index=once.index)
    kind[(once["start"] == "base").to_numpy()] = "base"
    kind[(once["depth"] > 0).to_numpy()] = "unlearn"
    kind[(once["relearn_steps"] > 0).to_numpy()] = "relearn"
    return (
        once.assign(kind=kind)
        .groupby("stage", observed=True)
        .agg(
            kind=("kind", "first"),
            train_seconds=("train_seconds", "max"),
            evaluation_seconds=("evaluation_seconds", "sum"),
        )
    )


def _times(times: pd.DataFrame) -> Table:
    whole = float(times["train_seconds"].sum() + times["evaluation_seconds"].sum())
    columns = (
        ("kind of stage", False),
        ("stages", True),
        ("training, s", True),
        ("evaluation, s", True),
        ("of all", True),
    )
    rows = [
        (
            str(row["kind"]),
            f"{row['stages']:,}",
            f"{row['train_seconds']:,.1f}",
            f"{row['evaluation_seconds']:,.1f}",
            f"{100 * (row['train_seconds'] + row['evaluation_seconds']) / whole:.0f}%" if whole else "–",
        )
        for row in times.to_dict("records")
    ]
    return Table(columns, rows, "Where the time went: seconds of stages, which run beside each other")


def _words(study: Study, times: pd.DataFrame) -> list[str]:
    facts = study.content.get("provenance", {})
    spec = study.content.get("spec", {})
    found = []
    if "wall_seconds" in facts:
        found.append(f"Wall time of all runs: {_duration(float(facts['wall_seconds']))}.")
    if len(times):
        train, evaluation = float(times["train_seconds"].sum()), float(times["evaluation_seconds"].sum())
        found.append(
            f"Stages took {_duration(train + evaluation)}, {100 * evaluation / max(train + evaluation, 1e-9):.0f}% of "
            "it evaluation."
        )
        gpus = float(spec.get("execution", {}).get("gpus", 0))
        found.append(
            f"GPU time, as reserved ({gpus:g} a stage): {_duration(gpus * (train + evaluation))}."
            if gpus
            else "No stage asked for a GPU."
        )
    shared = _sharing(study)
    return [" ".join(found), *([shared] if shared else [])] if found or shared else []


def _sharing(study: Study) -> str:
    """What the stage tree saved: the steps of every planned cell alone, against those that were taken."""
    taken, alone = (
        int(study.content.get("provenance", {}).get("train_steps", 0)),
        study.train_steps_alone,
    )
    if not taken or alone is None:
        return ""
    evaluations = int(study.content["provenance"].get("evaluations", 0))
    return (
        f"Steps shared: {taken:,} training steps and {evaluations:,} evaluations were made, where running each of the "
        f"{len(study.planned):,} cells alone would take {alone:,} steps and {len(study.planned):,} evaluations."
    )


def _named(pairs: list[tuple[str, str]], caption: str) -> Table:
    return Table((("what", False), ("value", False)), pairs, caption)


def _shown(value: Any) -> str:
    return f"{value:,.1f}" if isinstance(value, float) and abs(value) >= 1 else in_words(value)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
