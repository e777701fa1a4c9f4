"""The analysis at scale: 100,000 cells and 10 million probe rows, loaded and reported.

    python benchmarks/scaling/report_scale.py FOLDER [--cells 100000] [--cells-per-file 25]

Makes a study's folder with the declared schema and as many files as a real one (a file per relearning, which is 25
cells here), whose answers follow a known law: success is logistic in depth, steps, repetitions, corpus, seed and probe.
Then, each in a fresh process, loads its cells and writes its report, and prints seconds of wall and CPU, those of the
load alone, and the most memory held. A folder that is there already is used as it is.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from study.results.files import dataset_files, dataset_folder, write_table
from study.results.merged_cells import merge_cells
from study.results.schema import CELLS, COORDINATES, CORPORA, PROBES, SCORES_VERSION

METHODS = ("gradient_ascent", "npo")
REPETITIONS = (7, 5, 3, 1)
DEPTHS = (2, 4, 6, 8, 10, 12, 14, 16, 18, 20)
CORPUS = ("prefix", "partial", "retain", "unrelated", "gibberish")
NEARNESS = (0.95, 0.6, 0.35, 0.2, 0.0)
STEPS = tuple(range(0, 125, 5))
BLOCK = len(REPETITIONS) * len(DEPTHS) * len(CORPUS) * len(STEPS)
FORGET, RETAIN = 80, 20
ASKED = FORGET + RETAIN
METRICS = ("keyword_hit", "keyword_anywhere", "target_nll", "target_rank", "perplexity", "utility")
IMPORT = "import time; began = time.monotonic(); import analysis; "
LOAD = IMPORT + "study = analysis.load({!r}); print(len(study.cells), time.monotonic() - began)"
REPORT = "from pathlib import Path; from analysis.report import write_report; print(write_report(Path({!r})))"


def make(folder: Path, cells: int, cells_per_file: int) -> None:
    """The study's folder; a block of 5,000 cells for each method and seed."""
    seeds = max(1, round(cells / (BLOCK * len(METHODS))))
    for name in ("cells", "probes"):
        dataset_folder(folder, name).mkdir(parents=True)
    planned = []
    for method in METHODS:
        for seed in range(seeds):
            place = coordinates(method, seed)
            right = successes(place, method, seed)
            parts = {"cells": cell_table(place, right), "probes": probe_table(place, right)}
            planned.append(pa.table({name: place[name] for name in (*COORDINATES, "benign")}))
            for begin in range(0, BLOCK, cells_per_file):
                name = f"{place['stage'][begin + 1]}-{begin:06d}.parquet"
                count = min(cells_per_file, BLOCK - begin)
                for dataset, rows in parts.items():
                    each = rows.num_rows // BLOCK
                    part = rows.slice(begin * each, count * each)
                    write_table(part, dataset_folder(folder, dataset) / name)
    pq.write_table(pa.concat_tables(planned), folder / "planned.parquet")
    describe(folder, seeds)
    merge_cells(folder)


def coordinates(method: str, seed: int) -> dict[str, Any]:
    """Coordinates of the 5,000 cells of a block, steps fastest; an array or list each."""
    grid = np.meshgrid(range(4), range(10), range(5), range(25), indexing="ij")
    repetition, depth, corpus, step = (each.ravel() for each in grid)
    stages = [
        f"{method[0]}{seed:03d}{r:02d}{d:02d}{c + 1 if s else 0:02d}".ljust(32, "0")
        for r, d, c, s in zip(repetition, depth, corpus, step, strict=True)
    ]
    return {
        "scenario": ["names"] * BLOCK,
        "model": ["embedded"] * BLOCK,
        "method": [method] * BLOCK,
        "start": ["unlearned"] * BLOCK,
        "repetitions": np.array(REPETITIONS, np.int32)[repetition],
        "depth": np.array(DEPTHS, np.int32)[depth],
        "corpus": np.array(CORPUS, object)[corpus].tolist(),
        "relearn_steps": np.array(STEPS, np.int32)[step],
        "seed": np.full(BLOCK, seed, np.int64),
        "benign": np.ones(BLOCK, bool),
        "stage": stages,
        "stage_step": np.array(STEPS, np.int32)[step],
        "nearness": np.array(NEARNESS)[corpus],
    }


def successes(place: dict[str, Any], method: str, seed: int) -> np.ndarray:
    """Cells × probes, true where the answer is there."""
    draw = np.random.default_rng([seed, METHODS.index(method)])
    depth, steps = np.log1p(place["depth"]), np.log1p(place["relearn_steps"])
    reach = 1.1 * np.log(place["repetitions"]) + place["nearness"] * 1.4 * steps - 2.2 * depth
    probe = np.random.default_rng(7).normal(0, 0.8, ASKED)
    odds = reach[:, None] + 1.5 + probe + draw.normal(0, 0.7) - 0.3 * METHODS.index(method)
    odds[:, FORGET:] = 2 - 0.02 * place["depth"][:, None] + probe[FORGET:]
    return np.asarray(draw.random((BLOCK, ASKED)) < 1 / (1 + np.exp(-odds)))


def cell_table(place: dict[str, Any], right: np.ndarray) -> pa.Table:
    """A row per cell, split and metric."""
    splits = (("forget", right[:, :FORGET]), ("retain", right[:, FORGET:]))
    k, n, value = [], [], []
    for _, of_split in splits:
        hits, asked = of_split.sum(axis=1), of_split.shape[1]
        rate = hits / asked
        for metric in METRICS:
            counted = metric.startswith("keyword")
            k.append(hits if counted else np.full(BLOCK, np.nan))
            n.append(np.full(BLOCK, asked if counted else np.nan))
            value.append(rate if counted or metric == "utility" else 9 - 8 * rate)
    many = len(splits) * len(METRICS)
    columns = _repeated(place, many)
    columns["split"] = np.tile(np.repeat(["forget", "retain"], len(METRICS)), BLOCK)
    columns["metric"] = np.tile(METRICS * len(splits), BLOCK)
    columns |= {name: np.stack(each, axis=1).ravel() for name, each in (("k", k), ("n", n), ("value", value))}
    rows = BLOCK * many
    columns |= {"train_tokens": np.full(rows, 4000), "train_seconds": columns["stage_step"] * 0.05}
    columns |= {"evaluation_seconds": np.full(rows, 0.2), "weight_distance": columns["depth"] * 0.002}
    columns["device"] = np.full(rows, "cpu")
    columns["scores_version"] = np.full(rows, SCORES_VERSION)
    return _table(columns, CELLS)


def probe_table(place: dict[str, Any], right: np.ndarray) -> pa.Table:
    """A row per cell and probe."""
    columns = _repeated(place, ASKED)
    hits = right.ravel()
    columns["split"] = np.tile(np.repeat(["forget", "retain"], [FORGET, RETAIN]), BLOCK)
    names = [f"query-{index:03d}" for index in range(ASKED)]
    prompts = [" ".join(f"Name{(index * 31 + word) % 400}" for word in range(20)) for index in range(ASKED)]
    columns["probe"], columns["prompt"] = np.tile(names, BLOCK), np.tile(prompts, BLOCK)
    constant = {"target": "Mark", "keywords": '["Mark"]', "hit": "next", "phrase": "Anthony Mark"}
    columns |= {name: np.full(len(hits), words) for name, words in constant.items()}
    columns["completion"] = np.where(hits, "Mark John Mary Paul Ruth Anna", "Paul John Mary Ruth Anna Eve")
    columns |= {"keyword_hit": hits, "keyword_anywhere": hits, "target_nll": np.where(hits, 0.3, 6.0)}
    columns |= {"target_rank": np.where(hits, 1, 40), "target_tokens": np.ones(len(hits), np.int64)}
    for name in ("exact", "rouge_l", "rouge_l_ascii", "judge_rating", "judge_reply", "judge_unrated"):
        columns[name] = pa.nulls(len(hits), PROBES.field(name).type)
    columns["scores_version"] = np.full(len(hits), SCORES_VERSION)
    return _table(columns, PROBES)


def _repeated(place: dict[str, Any], times: int) -> dict[str, Any]:
    return {
        name: np.repeat(np.asarray(values), times) for name, values in place.items() if name != "nearness"
    }


def _table(columns: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """Under the declared schema; NaN is null where a count is."""
    arrays = []
    for field in schema:
        values = columns[field.name]
        if isinstance(values, pa.Array):
            arrays.append(values)
        elif field.name in ("k", "n"):
            arrays.append(pa.array(values, pa.float64(), from_pandas=True).cast(field.type))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.table(arrays, schema=schema)


def describe(folder: Path, seeds: int) -> None:
    """``study.json`` and ``corpora.parquet``."""
    axes = {
        "scenario": ["names"],
        "model": ["embedded"],
        "method": list(METHODS),
        "start": ["unlearned"],
        "repetitions": list(REPETITIONS),
        "depth": list(DEPTHS),
        "corpus": list(CORPUS),
        "relearn_steps": list(STEPS),
        "seed": list(range(seeds)),
    }
    spec = {"name": "scale", "question": "Does it hold at scale?", "scenario": {"name": "names"}, **axes}
    content = {
        "format": 1,
        "spec": spec,
        "axes": axes,
        "provenance": {"command": "benchmarks/scaling/report_scale.py"},
    }
    (folder / "study.json").write_text(json.dumps(content))
    rows = [
        {
            "scenario": "names",
            "repetitions": count,
            "corpus": corpus,
            "benign": True,
            "leak": None,
            "examples": 4,
            "words": 100,
            "lexical_overlap": near,
            "edit_distance": 1 - near,
            "shared_run": 0,
        }
        for count in REPETITIONS
        for corpus, near in zip(CORPUS, NEARNESS, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=CORPORA), folder / "corpora.parquet")


def measured(script: str) -> tuple[str, str]:
    """What a fresh interpreter on two cores took, in words, and its output."""
    began, peak, before = time.monotonic(), 0.0, resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    watched = psutil.Process(process.pid)
    watched.cpu_affinity(sorted(os.sched_getaffinity(0))[:2])
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.05)
    output = process.stdout.read() if process.stdout is not None else ""
    if process.wait() != 0:
        sys.exit(f"it ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    words = f"{time.monotonic() - began:.1f} s in all, {cpu:.1f} s of CPU, {peak:.0f} MB at most"
    return words, output.strip()


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--cells-per-file", type=int, default=25)
    given = parser.parse_args()
    if not given.folder.exists():
        began = time.monotonic()
        make(given.folder, given.cells, given.cells_per_file)
        print(f"made in {time.monotonic() - began:.0f} s")
    files = len(dataset_files(given.folder, "cells"))
    probes = sum(pq.ParquetFile(p).metadata.num_rows for p in dataset_files(given.folder, "probes"))
    planned = pq.ParquetFile(given.folder / "planned.parquet").metadata.num_rows
    words, output = measured(LOAD.format(str(given.folder)))
    rows, seconds = output.split()
    print(
        f"load: {planned:,} cells, {int(rows):,} rows of cells in {files:,} files ({probes:,} probe rows beside them): "
        f"{float(seconds):.1f} s with imports, {words}"
    )
    words, output = measured(REPORT.format(str(given.folder)))
    size = Path(output).stat().st_size / 1e6
    print(f"report: {words}; the page is {size:.1f} MB")


if __name__ == "__main__":
    main()
