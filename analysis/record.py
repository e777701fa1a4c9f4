"""The place of record: docs/RESULTS.md, whose tables and pictures come from the cells that are committed beside it.

``python -m analysis.record docs`` writes them anew. ``docs/NAME/`` holds what is left of a study there: its
cells, its planned cells and its study.json, in which a model's folder is the model's name and no path of a
machine is left. ``python -m analysis.record docs STUDY…`` puts studies there first, finished or not: what
is missing is missing.

The words of RESULTS.md are a person's. Only what stands between ``<!-- NAME: TABLE … -->`` and ``<!-- end -->``
is written here; TABLE is one of ``analysis.record_tables.TABLES``.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from analysis.frames import Study, load, ordered
from analysis.pictures import pictures
from analysis.pictures.drawn import png
from analysis.places import place
from analysis.record_tables import TABLES
from study.errors import RelearnError, SpecError
from study.results import CELLS, CORPORA, table

PAGE = "RESULTS.md"
MARKED = re.compile(r"<!-- (?P<name>[\w.-]+): (?P<words>[^>]*?) -->\n.*?<!-- end -->\n", re.DOTALL)
MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:[\w.@+-]+/)+(?P<last>[\w.@+-]+)")
KEPT = ("format", "space", "overrides", "spec", "axes", "created", "provenance")
"""What of study.json is for readers elsewhere."""


def put(folder: Path, records: Path) -> Path:
    """Puts a study's cells into the record, in place of what the record has of it.

    Returns:
        Its folder there, which has the study's name.

    Raises:
        SpecError: it is no study, or has no cell yet.
    """
    study = load(folder)
    if not len(study.cells):
        raise SpecError(f"{folder} has no cell yet: there is nothing to put on record")
    target = records / str(study.content["spec"]["name"])
    target.mkdir(parents=True, exist_ok=True)
    for frame, name in ((study.cells, "cells"), (study.planned, "planned")):
        plain = frame.drop(columns="study").astype(object)
        rows = [_without_paths(row) for row in plain.to_dict("records")]
        path = target / f"{name}.parquet"
        if name == "cells":
            rows.sort(key=lambda row: [str(row[column]) for column in CELLS.names[:12]])
            pq.write_table(table([_nulls(row) for row in rows], CELLS), path, write_page_checksum=True)
        else:
            pd.DataFrame(rows).to_parquet(path)
    content = _without_paths({name: study.content[name] for name in KEPT if name in study.content})
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (target / "study.json").write_text(f"{text}\n", encoding="utf-8")
    return target


def on_record(folder: Path) -> Study:
    """A study as the record has it: cells and plan, without the probes.

    Raises:
        SpecError: the record has no such study.
    """
    try:
        content = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        cells = pq.read_table(folder / "cells.parquet").to_pandas()
        planned = pd.read_parquet(folder / "planned.parquet")
    except FileNotFoundError as error:
        raise SpecError(
            f"{folder} holds no study on record ({error.filename} is missing): put it there with "
            f"`python -m analysis.record {folder.parent} STUDY`"
        ) from None
    name = folder.name
    return Study(
        name=name,
        place=place(folder),
        cells=ordered(cells, content, name),
        planned=ordered(planned, content, name),
        corpora=ordered(CORPORA.empty_table().to_pandas(), content, name),
        content=content,
        failures=[],
    )


def write_pictures(study: Study) -> list[Path]:
    """Draws a recorded study's pictures beside its cells."""
    written = []
    for chart in pictures(study, by_probes=False):
        path = study.folder / f"{chart.name}.png"
        path.write_bytes(png(chart))
        written.append(path)
    return written


def page(records: Path) -> str:
    """RESULTS.md with every marked part written anew.

    Raises:
        SpecError: a mark names a study or a table that there is not.
    """
    studies: dict[str, Study] = {}

    def written(found: re.Match[str]) -> str:
        name, (kind, *rest) = found["name"], found["words"].split()
        if kind not in TABLES:
            raise SpecError(f"{PAGE}: no table is called {kind!r}; there are {', '.join(TABLES)}")
        if name not in studies:
            studies[name] = on_record(records / name)
        return f"<!-- {name}: {found['words']} -->\n\n{TABLES[kind](studies[name], *rest)}\n<!-- end -->\n"

    return MARKED.sub(written, (records / PAGE).read_text(encoding="utf-8"))


def _without_paths(value: Any) -> Any:
    """Every absolute path of a machine cut down to its last part, wherever it stands."""
    if isinstance(value, str):
        return MACHINE_PATH.sub(lambda found: found["last"], value)
    if isinstance(value, dict):
        return {_without_paths(key): _without_paths(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_paths(each) for each in value]
    return value


def _nulls(row: dict[str, Any]) -> dict[str, Any]:
    """Pandas says NaN where a count is null."""
    counts = {name: None if pd.isna(row[name]) else int(row[name]) for name in ("k", "n")}
    numbers = {name: None if pd.isna(row[name]) else row[name] for name in ("value", "weight_distance")}
    return {**row, **counts, **numbers}


def main(arguments: list[str]) -> int:
    """See the module's text; the exit code."""
    if not arguments:
        sys.stderr.write("usage: python -m analysis.record RECORDS [STUDY…]\n")
        return 2
    records = Path(arguments[0])
    try:
        for study in arguments[1:]:
            sys.stdout.write(f"{put(Path(study), records)}\n")
        text = page(records)
        (records / PAGE).write_text(text, encoding="utf-8")
        for name in dict.fromkeys(found["name"] for found in MARKED.finditer(text)):
            for path in write_pictures(on_record(records / name)):
                sys.stdout.write(f"{path}\n")
    except RelearnError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
