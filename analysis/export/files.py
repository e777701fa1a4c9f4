"""A study's rows in other formats: cells and probes as one file each, or the cells as a cube over the axes.

Each file is whole or absent: it is written under a hidden name, forced to disk, and then takes its place. An export
that was there before stays as it was where a new one fails.
"""

import csv
import os
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from analysis.export.cube import MISSING, write_cube
from analysis.reading.location import Location
from analysis.reading.studies import ALL, load
from study.artifacts.atomic_write import write_file
from study.artifacts.targets import refuse_loss, try_folder
from study.errors import SpecError
from study.results.files import read_file
from study.results.schema import COORDINATES, DATASETS

FORMULA = r"\A([=+@\t\r-])"
FORMATS = ("csv", "parquet", "netcdf")
MOST_HEADER = 1_000_000
"""Bytes or characters in which an export says what it is."""


def export(folder: str | Path, form: str, destination: Path | None = None) -> list[Path]:
    """Writes ``cells`` and ``probes`` into a folder; or ``cells.nc``, see ``analysis.export.cube``.

    Args:
        folder: of the study, or its address as for ``analysis.load``.
        form: ``csv`` (null is an empty field; an apostrophe stands before a text that a spreadsheet would take for a
            formula), ``parquet`` or ``netcdf``.
        destination: the folder, made where it lacks; the study's own ``export`` if None, which an address has not.

    Returns:
        The files.

    Raises:
        SpecError: not a study, an unknown format, no folder that can be written, a file there that no
            export wrote, or nothing to make a cube of.
        IntegrityError: a file of rows is torn or changed.
        PreflightError: a cube without xarray.
    """
    if form not in FORMATS:
        raise SpecError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    study = load(folder, device=ALL)
    (part,) = study.parts
    target = destination if destination is not None else part.location.folder / "export"
    try_folder(target)
    names = ["cells.nc"] if form == "netcdf" else [f"{dataset}.{form}" for dataset in DATASETS]
    written = [target / name for name in names]
    for path in written:
        if os.path.lexists(path) and not _is_export(path):
            refuse_loss(path, "export")
    if form == "netcdf":
        write_file(written[0], lambda path: write_cube(study, path))
        return written
    for path in written:
        write_file(path, partial(_write_dataset, part.location, path.stem, form))
    return written


def _is_export(path: Path) -> bool:
    """Whether a file is what an export, of whatever version, wrote."""
    try:
        if path.suffix == ".nc":
            with path.open("rb") as file:
                return MISSING.encode() in file.read(MOST_HEADER)
        if path.suffix == ".csv":
            with path.open(encoding="utf-8") as text:
                columns = next(csv.reader([text.readline(MOST_HEADER)]), [])
        else:
            columns = pyarrow.parquet.read_schema(path).names
    except (OSError, ValueError, csv.Error):  # of pyarrow too, which derives its own from these
        return False
    return set(COORDINATES) <= set(columns)


def _write_dataset(location: Location, dataset: str, form: str, path: Path) -> None:
    schema = DATASETS[dataset]
    with _writer(path, form, schema) as writer:
        # One file at a time: probes may be more than memory holds.
        for file in location.files(".parquet", "results", dataset):
            with location.open(file) as source:
                rows = read_file(source, dataset, name=file).cast(schema)
            writer.write_table(_without_formulas(rows) if form == "csv" else rows)


def _without_formulas(rows: pa.Table) -> pa.Table:
    """A spreadsheet computes a field that begins with one of these characters; after an apostrophe it is a text."""
    for index, field in enumerate(rows.schema):
        if field.type == pa.string():
            texts = pc.replace_substring_regex(rows.column(index), FORMULA, r"'\1")
            rows = rows.set_column(index, field, texts)
    return rows


def _writer(
    path: Path, form: str, schema: pa.Schema
) -> pyarrow.csv.CSVWriter | pyarrow.parquet.ParquetWriter:
    if form == "csv":
        return pyarrow.csv.CSVWriter(path, schema)
    return pyarrow.parquet.ParquetWriter(path, schema, write_page_checksum=True)
