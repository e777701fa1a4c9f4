"""Answers → rows: scores each answer by its texts, and aggregates them under a cell's coordinates.

Generating was the stage's work; this needs neither model nor GPU and can be repeated from what is stored.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study.evaluation.scorers import SCORERS
from study.planning.plan import Cell
from study.results.schema import COORDINATES, COUNTS, MEANS, SCORES_VERSION, SPLITS
from study.text.examples import Probe

Row = dict[str, Any]


def probe_rows(cell: Cell, answers: Sequence[Mapping[str, Any]], metrics: Iterable[str]) -> list[Row]:
    """A row per probe, in the order of the answers.

    Args:
        answers: rows of ``answers_file``.
        metrics: which of the scorers to compute; the others' columns are null.

    Raises:
        KeyError: an answer to a probe that is not of the cell's evaluation, or no such scorer.
    """
    probes = {probe.name: probe for probe in cell.evaluation.probes.probes}
    wanted = set(metrics)
    rows = []
    for answer in answers:
        probe = probes[answer["probe"]]
        completion = answer["completion"]
        rows.append(
            {
                **_coordinates(cell, probe.split),
                "probe": probe.name,
                "prompt": probe.prompt,
                "target": probe.target,
                "keywords": json.dumps(probe.keywords, ensure_ascii=False),
                "hit": probe.hit,
                "phrase": probe.phrase,
                "completion": completion,
                **{name: SCORERS[name](probe, completion) if name in wanted else None for name in SCORERS},
                "scores_version": SCORES_VERSION,
                "judge_rating": None,
                "judge_reply": None,
                "judge_unrated": None,
                "target_nll": answer["target_nll"],
                "target_rank": answer["target_rank"],
                "target_tokens": answer["target_tokens"],
                **_address(cell),
            }
        )
    return rows


def probe_of(row: Mapping[str, Any]) -> Probe:
    """The probe of a row, for scoring the row again."""
    return Probe(
        name=row["probe"],
        split=row["split"],
        prompt=row["prompt"],
        target=row["target"],
        keywords=tuple(json.loads(row["keywords"])),
        hit=row["hit"],
        phrase=row["phrase"],
    )


def cell_rows(probes: Sequence[Row], facts: Mapping[str, Any]) -> list[Row]:
    """A row per (split, metric) that has at least one scored probe.

    Args:
        probes: the ``probe_rows`` of one cell.
        facts: see ``cell_facts``.
    """
    rows = []
    for split in SPLITS:
        of_split = [row for row in probes if row["split"] == split]
        if not of_split:
            continue
        shared = {
            name: of_split[0][name]
            for name in (*COORDINATES, "benign", "split", "stage", "stage_step", "scores_version")
        }
        found: dict[str, Row] = {}
        for metric in (*COUNTS, *MEANS):
            scores = [row[metric] for row in of_split if row[metric] is not None]
            if scores:
                found[metric] = _count(scores) if metric in COUNTS else _mean(scores)
        found |= _pooled(of_split, found)
        rows += [{**shared, "metric": metric, **value, **facts} for metric, value in found.items()]
    return rows


def cell_facts(record: Mapping[str, Any]) -> Row:
    """The columns of a cell that come from its answers' record: tokens, times in seconds, weight distance, device."""
    facts = record["facts"]
    return {
        "train_tokens": None if facts["train_tokens"] is None else int(facts["train_tokens"]),
        "train_seconds": float(facts["train_seconds"]),
        "evaluation_seconds": float(facts["evaluation_seconds"]),
        "weight_distance": facts["weight_distance"],
        "device": record.get("device"),
    }


def _count(scores: list[Any]) -> Row:
    k = sum(bool(score) for score in scores)
    return {"k": k, "n": len(scores), "value": k / len(scores)}


def _mean(scores: list[Any]) -> Row:
    return {"k": None, "n": None, "value": float(sum(scores)) / len(scores)}


def _pooled(rows: Sequence[Row], found: Mapping[str, Row]) -> dict[str, Row]:
    """Metrics of all probes together: perplexity, and utility where texts were scored.

    Perplexity is per token. Utility is the harmonic mean of the text score and the mean probability of a target, the
    latter normalised by length, p^(1/tokens). Neither is there where a likelihood is not.
    """
    if any(row["target_nll"] is None for row in rows):
        return {}  # a service told the likelihood of some targets at most
    tokens = sum(row["target_tokens"] for row in rows)
    nats = sum(row["target_nll"] for row in rows)
    whole = {"perplexity": nats / tokens}
    # An unlearned model's perplexity has no bound; what a float64 cannot hold is written as infinite.
    values = {name: math.exp(value) if value < 700 else math.inf for name, value in whole.items()}
    text = found.get("rouge_l", found.get("keyword_hit"))
    if text is not None:
        probability = sum(math.exp(-row["target_nll"] / row["target_tokens"]) for row in rows) / len(rows)
        both = probability + text["value"]
        values["utility"] = 2 * probability * text["value"] / both if both else 0.0
    return {name: {"k": None, "n": None, "value": value} for name, value in values.items()}


def _coordinates(cell: Cell, split: str) -> Row:
    return {
        **dict(zip(COORDINATES, cell.coordinates, strict=True)),
        "benign": cell.benign,
        "split": split,
    }


def _address(cell: Cell) -> Row:
    return {"stage": cell.checkpoint.of.key, "stage_step": cell.checkpoint.step}
