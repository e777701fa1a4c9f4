"""A study on record: what is committed of it under docs/NAME, and read like any other study.

Kept are its cells, the scores of its forget probes without any text (which may not be ours to hand on), its planned
cells, its corpora and its study.json. No path of a machine is left: a model's folder becomes the model's name.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.reading.studies import ALL, load
from analysis.reading.study_frames import Study
from study.errors import SpecError
from study.results.files import CORPORA_FILE, PLANNED_FILE, dataset_folder, read_dataset
from study.results.schema import CELLS, COORDINATES, PROBES, table

MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:[\w.@+-]+/)+(?P<last>[\w.@+-]+)")
KEPT = ("format", "space", "overrides", "spec", "axes", "created", "provenance")
"""What of study.json is for readers elsewhere."""
DESCRIBED = (PLANNED_FILE, CORPORA_FILE)


def put(folder: Path, records: Path) -> Path:
    """Puts a study's rows into the record, in place of what the record has of it.

    Returns:
        Its folder there, which has the study's name.

    Raises:
        SpecError: it is no study, or has no cell yet.
    """
    study = load(folder, device=ALL)
    content = {name: study.content[name] for name in KEPT if name in study.content}
    cells = read_dataset(folder, "cells").to_pylist()
    if not cells:
        raise SpecError(f"{folder} has no cell yet: there is nothing to put on record")
    target = records / str(content["spec"]["name"])
    target.mkdir(parents=True, exist_ok=True)
    probes = [_scored(row) for row in read_dataset(folder, "probes").to_pylist() if row["split"] == "forget"]
    for name, schema, rows, last in (("cells", CELLS, cells, "metric"), ("probes", PROBES, probes, "probe")):
        clean = [_without_paths(row) for row in rows]
        clean.sort(key=lambda row: [str(row[column]) for column in (*COORDINATES, "split", last)])
        if clean:
            _write(table(clean, schema), target / f"{name}.parquet")
    for name in DESCRIBED:
        if (folder / name).exists():
            found = pq.read_table(folder / name)
            rows = [_without_paths(row) for row in found.to_pylist()]
            _write(pa.Table.from_pylist(rows, schema=found.schema), target / name)
    text = json.dumps(_without_paths(content), indent=1, ensure_ascii=False)
    (target / "study.json").write_text(f"{text}\n", encoding="utf-8")
    return target


@contextmanager
def on_record(folder: Path) -> Iterator[Study]:
    """A study as the record has it, read like any other for as long as the block runs.

    Raises:
        SpecError: the record has no such study.
    """
    with TemporaryDirectory() as temporary:
        place = Path(temporary) / folder.name
        place.mkdir()
        try:
            for name in ("study.json", *DESCRIBED):
                if name != CORPORA_FILE or (folder / name).exists():
                    shutil.copyfile(folder / name, place / name)
            for name in ("cells", "probes"):
                dataset_folder(place, name).mkdir(parents=True)
                if name == "cells" or (folder / f"{name}.parquet").exists():
                    shutil.copyfile(folder / f"{name}.parquet", dataset_folder(place, name) / "all.parquet")
        except FileNotFoundError as error:
            raise SpecError(
                f"{folder} holds no study on record ({error.filename} is missing): put it there with "
                f"`python -m analysis.record {folder.parent} STUDY`"
            ) from None
        yield load(place)


def _scored(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of probes without what was said, which may not be ours to hand on."""
    return {**row, "prompt": "", "target": "", "completion": "", "judge_reply": None, "judge_unrated": None}


def _write(rows: pa.Table, path: Path) -> None:
    pq.write_table(rows, path, compression="zstd", write_page_checksum=True)


def _without_paths(value: Any) -> Any:
    """Every absolute path of a machine cut down to its last part, wherever it stands."""
    if isinstance(value, str):
        return MACHINE_PATH.sub(lambda found: found["last"], value)
    if isinstance(value, dict):
        return {_without_paths(key): _without_paths(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_paths(each) for each in value]
    return value
