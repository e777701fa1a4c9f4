"""Answers → rows: scores each answer by its texts, and aggregates them under a cell's coordinates.

Generating was the stage's work; this needs neither model nor GPU and can be repeated from what is stored.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from study.evaluation.keyword import keyword_anywhere, keyword_hit
from study.plan import Cell
from study.results import COORDINATES, SPLITS

COUNTS = ("keyword_hit", "keyword_anywhere")
MEANS = ("target_nll", "target_rank")

Row = dict[str, Any]


def probe_rows(cell: Cell, answers: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row per probe, in the order of the answers.

    Raises:
        KeyError: an answer to a probe that the cell does not ask.
    """
    asked = {probe.name: probe for probe in cell.evaluation.probes.probes}
    rows = []
    for answer in answers:
        probe = asked[answer["probe"]]
        completion = answer["completion"]
        rows.append(
            {
                **_coordinates(cell, probe.split),
                "probe": probe.name,
                "prompt": probe.prompt,
                "target": probe.target,
                "completion": completion,
                "keyword_hit": keyword_hit(completion, probe.target),
                "keyword_anywhere": keyword_anywhere(probe.prompt, completion, probe.phrase),
                "target_nll": answer["target_nll"],
                "target_rank": answer["target_rank"],
                "judge_reply": None,
                **_address(cell),
            }
        )
    return rows


def cell_rows(cell: Cell, probes: Sequence[Row], facts: Mapping[str, Any]) -> list[Row]:
    """A row per (split, metric) that has at least one scored probe.

    Args:
        probes: the cell's ``probe_rows``.
        facts: what the record of the answers says of tokens and wall time.
    """
    rows = []
    for split in SPLITS:
        of_split = [row for row in probes if row["split"] == split]
        aggregates: list[tuple[str, Callable[[list[Any]], Row]]] = [
            *((metric, _count) for metric in COUNTS),
            *((metric, _mean) for metric in MEANS),
        ]
        for metric, aggregate in aggregates:
            scores = [row[metric] for row in of_split if row[metric] is not None]
            if scores:
                rows.append(
                    {
                        **_coordinates(cell, split),
                        "metric": metric,
                        **aggregate(scores),
                        **_address(cell),
                        "train_tokens": int(facts["train_tokens"]),
                        "train_seconds": float(facts["train_seconds"]),
                        "evaluation_seconds": float(facts["evaluation_seconds"]),
                    }
                )
    return rows


def _count(scores: list[Any]) -> Row:
    k = sum(bool(score) for score in scores)
    return {"k": k, "n": len(scores), "value": k / len(scores)}


def _mean(scores: list[Any]) -> Row:
    return {"k": None, "n": None, "value": float(sum(scores)) / len(scores)}


def _coordinates(cell: Cell, split: str) -> Row:
    return {
        **dict(zip(COORDINATES, cell.coordinates, strict=True)),
        "benign": cell.benign,
        "split": split,
    }


def _address(cell: Cell) -> Row:
    return {"stage": cell.checkpoint.of.key, "stage_step": cell.checkpoint.step}
