"""The place of record: docs/RESULTS.md, whose tables and pictures come from the cells that are committed beside it.

``python -m analysis.record docs`` writes them anew. ``docs/NAME/`` holds what is left of a study there: its
cells, the scores of its forget probes without any text, its planned cells, its corpora and its study.json, in
which a model's folder is the model's name and no path of a machine is left.
``python -m analysis.record docs STUDY…`` puts studies there first, finished or not: what is missing is missing.

The words of RESULTS.md are a person's. Only what stands between ``<!-- NAME: TABLE … -->`` and ``<!-- end -->``
is written here; TABLE is one of ``analysis.record.tables.TABLES`` or ``DRAWN``. Pictures that no mark
shows are taken away.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from analysis.charts.png import png
from analysis.reading.study_frames import Study, load
from analysis.record.tables import DRAWN, TABLES, links
from study.errors import RelearnError, SpecError
from study.results.files import dataset_folder, read_dataset
from study.results.schema import CELLS, COORDINATES, PROBES, table

PAGE = "RESULTS.md"
MARKED = re.compile(r"<!-- (?P<name>[\w.-]+): (?P<words>[^>]*?) -->\n.*?<!-- end -->\n", re.DOTALL)
MACHINE_PATH = re.compile(r"(?<![\w.~/])/(?:[\w.@+-]+/)+(?P<last>[\w.@+-]+)")
KEPT = ("format", "space", "overrides", "spec", "axes", "created", "provenance")
"""What of study.json is for readers elsewhere."""
NOTHING = "Nothing is on record yet."
"""In place of the tables of a study that is still to be run."""
DESCRIBED = ("planned.parquet", "corpora.parquet")


def put(folder: Path, records: Path) -> Path:
    """Puts a study's rows into the record, in place of what the record has of it.

    Returns:
        Its folder there, which has the study's name.

    Raises:
        SpecError: it is no study, or has no cell yet.
    """
    study = load(folder)
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
                if name != "corpora.parquet" or (folder / name).exists():
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


def page(records: Path) -> tuple[str, dict[Path, bytes]]:
    """RESULTS.md with every marked part written anew, and the pictures it shows, by their files.

    Raises:
        SpecError: a mark names a table that there is not.
    """
    studies: dict[str, Study] = {}
    shown: dict[Path, bytes] = {}
    with ExitStack() as opened:

        def written(found: re.Match[str]) -> str:
            name, (kind, *rest) = found["name"], found["words"].split()
            if kind not in (*TABLES, *DRAWN):
                raise SpecError(
                    f"{PAGE}: no table is called {kind!r}; there are {', '.join((*TABLES, *DRAWN))}"
                )
            if name not in studies and (records / name).exists():
                studies[name] = opened.enter_context(on_record(records / name))
            if name not in studies:
                made = f"{NOTHING}\n"
            elif kind in DRAWN:
                charts = DRAWN[kind](studies[name], *rest)
                shown.update({records / name / f"{chart.name}.png": png(chart) for chart in charts})
                made = links(charts, name)
            else:
                made = TABLES[kind](studies[name], *rest)
            return f"<!-- {name}: {found['words']} -->\n\n{made}\n<!-- end -->\n"

        text = MARKED.sub(written, (records / PAGE).read_text(encoding="utf-8"))
    return text, shown


def _scored(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of probes without what was said, which may not be ours to hand on."""
    return {**row, "prompt": "", "target": "", "completion": "", "judge_reply": None}


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


def main(arguments: list[str]) -> int:
    """See the module's text; the exit code."""
    if not arguments:
        sys.stderr.write("usage: python -m analysis.record RECORDS [STUDY…]\n")
        return 2
    records = Path(arguments[0])
    try:
        for study in arguments[1:]:
            sys.stdout.write(f"{put(Path(study), records)}\n")
        text, pictures = page(records)
        (records / PAGE).write_text(text, encoding="utf-8")
        for path, content in pictures.items():
            path.write_bytes(content)
            sys.stdout.write(f"{path}\n")
        for path in {path for folder in {each.parent for each in pictures} for path in folder.glob("*.png")}:
            if path not in pictures:
                path.unlink()
    except RelearnError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
