"""Study folders with made-up rates, written through the same code that writes real ones."""

import json
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analysis.report import write_report
from study.results.files import dataset_folder, write_table
from study.results.schema import CELLS, PROBES, table

QUERIES = 100


def made_up(
    folder: Path,
    rate: Callable[..., float | None],
    corpora: tuple[str, ...] = ("prefix", "retain", "gibberish"),
    seeds: tuple[int, ...] = (0, 1, 2),
    depths: tuple[int, ...] = (6, 8),
    steps: tuple[int, ...] = (0, 10, 40),
    repetitions: tuple[int, ...] = (7, 5, 3, 1),
    failures: tuple[dict[str, Any], ...] = (),
    scenario: str = "names",
    metric: str = "keyword_anywhere",
    asked: int = QUERIES,
    original: float | None = None,
    kept: float = 1.0,
) -> Path:
    """A study's folder in which each cell's ASR is ``rate(**coordinates)``.

    A rate of None leaves the planned cell without rows; with ``asked=0`` there are cells alone. With ``original`` there
    is an original model that answers so much, and on retain probes all of them, of which unlearned models keep
    ``kept``.
    """
    cells, probes, planned = [], [], []
    starts = [("unlearned", depth) for depth in depths] + [("never_learned", 0)]
    places = list(product(starts, corpora, seeds, repetitions, steps))
    if original is not None:
        places += list(product([("original", 0)], ["none"], seeds, repetitions, [0]))
    for (start, depth), corpus, seed, count, step in places:
        place = {
            "scenario": scenario,
            "model": "embedded",
            "method": "gradient_ascent" if start == "unlearned" else "none",
            "start": start,
            "repetitions": count,
            "depth": depth,
            "corpus": corpus,
            "relearn_steps": step,
            "seed": seed,
        }
        planned.append({**place, "benign": corpus != "direct"})
        value = original if start == "original" else rate(**place)
        if value is None:
            continue
        k = round(value * QUERIES)
        common = {**place, "benign": corpus != "direct", "split": "forget", "scores_version": 3}
        address = {"stage": "0" * 32, "stage_step": step}
        cost = {
            "train_tokens": 1,
            "train_seconds": 1.0,
            "evaluation_seconds": 1.0,
            "weight_distance": 0.1,
            "device": "cpu",
        }
        cells.append(
            {
                **common,
                "metric": metric,
                "k": k,
                "n": QUERIES,
                "value": k / QUERIES,
                **address,
                **cost,
            }
        )
        if original is not None and start in ("original", "unlearned"):
            known = round((1.0 if start == "original" else kept) * QUERIES)
            counts = {"k": known, "n": QUERIES, "value": known / QUERIES}
            cells.append({**common, "split": "retain", "metric": metric, **counts, **address, **cost})
        cells.append(
            {
                **common,
                "metric": "target_nll",
                "k": None,
                "n": None,
                "value": 9 - 8 * value,
                **address,
                **cost,
            }
        )
        scores = {
            "exact": None,
            "rouge_l": None,
            "judge_rating": None,
            "judge_reply": None,
            "judge_unrated": None,
            "rouge_l_ascii": None,
            "target_nll": 1.0,
            "target_rank": 2,
            "target_tokens": 1,
        }
        for query in range(asked):
            hit = query < k
            probes.append(
                {
                    **common,
                    "probe": f"query-{query}",
                    "prompt": "John Anthony",
                    "target": "Mark",
                    "keywords": '["Mark"]',
                    "hit": "next",
                    "phrase": "Anthony Mark",
                    "completion": "Mark" if hit else "Paul",
                    "keyword_hit": hit,
                    "keyword_anywhere": hit,
                    **scores,
                    **address,
                }
            )
    for dataset, schema, rows in (("cells", CELLS, cells), ("probes", PROBES, probes)):
        if rows:
            built = pa.Table.from_pylist(rows, schema=schema) if len(rows) > 1000 else table(rows, schema)
            write_table(built, dataset_folder(folder, dataset) / "all.parquet")
    write_table(pa.Table.from_pylist(planned), folder / "planned.parquet")
    axes = {"scenario": [scenario], "model": ["embedded"], "corpus": list(corpora)}
    content = {
        "spec": {"name": "made-up", "question": "Does it?"},
        "axes": axes,
        "provenance": {"wall_seconds": 3.0},
    }
    (folder / "study.json").write_text(json.dumps(content))
    (folder / "failures").mkdir()
    for index, failure in enumerate(failures):
        (folder / "failures" / f"{index}.json").write_text(json.dumps(failure))
    return folder


@pytest.fixture(scope="session")
def unasked_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of ``lawful`` without an original model, for the tests that only read it."""
    return write_report(made_up(tmp_path_factory.mktemp("unasked") / "study", lawful))


@pytest.fixture(scope="session")
def known_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of ``lawful`` after an original model of 95%, with half of what else it knew destroyed."""
    folder = made_up(tmp_path_factory.mktemp("known") / "study", lawful, original=0.95, kept=0.5)
    return write_report(folder)


@pytest.fixture
def study_folder(tmp_path: Path) -> Callable[..., Path]:
    """``study_folder(rate, corpora=…)``: the folder of a study that is ``made_up``."""
    return partial(made_up, tmp_path / "study")


def lawful(
    repetitions: int, depth: int, corpus: str, relearn_steps: int, start: str, seed: int, **_: object
) -> float:
    """Rates in which every claim of the paper holds."""
    if start == "never_learned" or relearn_steps == 0:
        return 0.0
    height = {7: 0.9, 5: 0.8, 3: 0.3, 1: 0.0}[repetitions]
    relevance = {"prefix": 1.0, "retain": 0.6, "gibberish": 0.0}[corpus]
    return max(0.0, height * relevance * (relearn_steps / 40) * (1 - 0.02 * (depth - 6)) - 0.01 * seed)
