"""The rows: two tidy Parquet datasets with one declared schema. The contract with every reader.

``DIR/results/cells`` has a row per (cell, split, metric); ``DIR/results/probes`` a row per (cell, split,
probe) with the texts, from which everything can be scored again without a GPU. Files are written under a
name that begins with a dot until they are whole (readers of Parquet folders pass those over), and scoring
again replaces a file as a whole; so a reader at any moment sees whole rows, each once. What is not computed is
absent; an unscored value is null; neither is ever 0.

Without torch: analysis imports ``study.results`` and ``study.errors``, and nothing else of ``study``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 2
VERSION_FIELD = b"relearn.schema_version"

COORDINATES = (
    "scenario",
    "model",
    "method",
    "start",
    "repetitions",
    "depth",
    "corpus",
    "relearn_steps",
    "seed",
)
"""What names a cell. ``method`` is ``none`` and ``depth`` 0 where nothing was unlearned; ``corpus`` is
``none`` for the reference cells (the base model, the finetuned model), which nobody relearned."""

Coordinates = tuple[Any, ...]
"""The values that name one cell, in the order of ``COORDINATES``."""

STARTS = ("unlearned", "original", "never_learned", "base")
"""Where relearning starts from. ``base`` (the model before any finetuning) is only evaluated."""

SPLITS = ("forget", "retain")

COUNTS = ("keyword_hit", "keyword_anywhere", "exact")
"""Metrics of a probe that are yes or no: k of n."""

MEANS = ("rouge_l", "rouge_l_ascii", "judge_rating", "target_nll", "target_rank")
"""Metrics of a probe that are numbers: their mean over the scored probes."""

WHOLE = ("perplexity", "utility")
"""Metrics of a whole split: exp of the nats per target token; and how much of what is asked is still known,
the harmonic mean of the geometric-mean token probability of the targets (mean over probes) and of ROUGE-L,
or of the keyword hits where ROUGE-L is not scored (after Maini et al. 2024, model utility)."""

_COORDINATES = [
    pa.field("scenario", pa.string(), nullable=False),
    pa.field("model", pa.string(), nullable=False),
    pa.field("method", pa.string(), nullable=False),
    pa.field("start", pa.string(), nullable=False),
    pa.field("repetitions", pa.int32(), nullable=False),
    pa.field("depth", pa.int32(), nullable=False),
    pa.field("corpus", pa.string(), nullable=False),
    pa.field("relearn_steps", pa.int32(), nullable=False),
    pa.field("seed", pa.int64(), nullable=False),
    pa.field("benign", pa.bool_(), nullable=False),
    pa.field("split", pa.string(), nullable=False),
]
_VERSION = {VERSION_FIELD: str(SCHEMA_VERSION).encode()}

CELLS = pa.schema(
    [
        *_COORDINATES,
        pa.field("metric", pa.string(), nullable=False),
        pa.field("k", pa.int64()),  # successes; null where the metric is no count
        pa.field("n", pa.int64()),  # scored probes; null where the metric is no count
        pa.field("value", pa.float64()),  # k / n, or the mean over probes
        pa.field("stage", pa.string(), nullable=False),  # key of the trajectory it was read off
        pa.field("stage_step", pa.int32(), nullable=False),  # and the step along it
        pa.field("train_tokens", pa.int64()),  # tokens with a loss, this trajectory; null: a service trained
        pa.field("train_seconds", pa.float64(), nullable=False),  # wall, this trajectory up to the step
        pa.field("evaluation_seconds", pa.float64(), nullable=False),  # wall, this checkpoint
        # norm of the weights' difference to the model before unlearning and relearning, over its norm
        pa.field("weight_distance", pa.float64()),
        pa.field("scores_version", pa.int32()),  # see SCORES_VERSION
        pa.field("device", pa.string()),  # what computed it: cpu, the card's name, or `service PROVIDER`
    ],
    metadata=_VERSION,
)

PROBES = pa.schema(
    [
        *_COORDINATES,
        pa.field("probe", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("target", pa.string(), nullable=False),
        pa.field("keywords", pa.string(), nullable=False),  # a JSON list of strings
        pa.field("hit", pa.string(), nullable=False),  # where a keyword counts: next, within
        pa.field("phrase", pa.string()),
        pa.field("completion", pa.string(), nullable=False),
        pa.field("keyword_hit", pa.bool_()),
        pa.field("keyword_anywhere", pa.bool_()),
        pa.field("exact", pa.bool_()),
        pa.field("rouge_l", pa.float64()),  # F1, 0 to 1
        pa.field("rouge_l_ascii", pa.float64()),  # the same over the letters a to z and digits
        pa.field("judge_rating", pa.int64()),  # 1 to 10
        pa.field("judge_reply", pa.string()),
        pa.field("judge_unrated", pa.string()),  # why the judge could not take the answer
        pa.field("scores_version", pa.int32()),  # see SCORES_VERSION
        pa.field("target_nll", pa.float64()),  # nats, summed over the target's tokens
        pa.field("target_rank", pa.int64()),  # 1 is the most likely
        pa.field("target_tokens", pa.int64()),  # null: a service did not tell
        pa.field("stage", pa.string(), nullable=False),
        pa.field("stage_step", pa.int32(), nullable=False),
    ],
    metadata=_VERSION,
)

PLANNED = pa.schema(
    [
        *(field for field in _COORDINATES if field.name != "split"),
        pa.field("train_steps_alone", pa.int64(), nullable=False),  # optimiser steps, were nothing shared
    ],
    metadata=_VERSION,
)
"""``DIR/planned.parquet``: a row per planned cell. One that an older version wrote has no ``train_steps_alone``."""

CORPORA = pa.schema(
    [
        pa.field("scenario", pa.string(), nullable=False),
        pa.field("repetitions", pa.int32(), nullable=False),
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("benign", pa.bool_(), nullable=False),
        pa.field("leak", pa.string()),  # what it holds that it should not
        pa.field("examples", pa.int64(), nullable=False),
        pa.field("words", pa.int64(), nullable=False),
        pa.field("lexical_overlap", pa.float64(), nullable=False),  # of its distinct words, 0 to 1
        pa.field("edit_distance", pa.float64(), nullable=False),  # to the forget set, in words, 0 to 1
        pa.field("shared_run", pa.int64(), nullable=False),  # words in a row shared with a target
    ],
    metadata=_VERSION,
)
"""``DIR/corpora.parquet``: the relearn corpora as the plan found them; see ``study.scenarios.leak_audit``."""

SCORES_VERSION = 5
"""Of the scores of texts: 1 knew words of the letters a to z alone; 2 knows every script (``study.text.words``); in 3 a
particle may follow Latin letters in Korean, signs that may be left unwritten do not count, and ``exact`` does not count
blanks beside a mark; in 4 marks of letters cut no word, raised signs are apart, and all quotation marks and dashes are
alike; in 5 the digits of a number belong together in every script and around a decimal sign, a mark that follows makes
another letter, and circled signs are apart."""

ADDED: dict[str, Any] = {"device": None, "judge_unrated": None, "rouge_l_ascii": None, "scores_version": 1}
"""Columns that files of before do not have, and what they are read as."""

DATASETS = {"cells": CELLS, "probes": PROBES}


def coordinates_of(row: Mapping[str, Any]) -> Coordinates:
    """Which cell a row belongs to."""
    return tuple(row[name] for name in COORDINATES)


def table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows under the declared schema.

    Raises:
        ValueError: a row lacks a column, has one too many, or a null where none may be.
    """
    expected = set(schema.names)
    for row in rows:
        if set(row) != expected:
            wrong = sorted(expected.symmetric_difference(row))
            raise ValueError(f"row does not fit the schema; columns missing or too many: {wrong}")
    built = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    for field in schema:
        if not field.nullable and built.column(field.name).null_count:
            raise ValueError(f"column {field.name} holds a null, and may not")
    return built


def with_added_columns(found: pa.Table, wanted: pa.Schema) -> pa.Table:
    """What was read of a file, with the columns of ``ADDED`` that the file does not have yet.

    Args:
        wanted: the columns that were asked for.
    """
    for field in wanted:
        if field.name in ADDED and field.name not in found.column_names:
            found = found.append_column(field, pa.array([ADDED[field.name]] * found.num_rows, field.type))
    return found.select(wanted.names)
