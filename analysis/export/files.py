"""A study's rows elsewhere: cells and probes as one file each, or the cells as a cube over the axes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from analysis.export.cube import write_cube
from analysis.reading.study_frames import load
from study.errors import SpecError
from study.results.files import dataset_files, read_file
from study.results.schema import DATASETS

FORMATS = ("csv", "parquet", "netcdf")


def export(folder: Path, form: str, destination: Path | None = None) -> list[Path]:
    """Writes ``cells`` and ``probes`` into a folder, null staying empty in CSV; or ``cells.nc``, see ``cube``.

    Raises:
        SpecError: not a study, an unknown format, or nothing to make a cube of.
        PreflightError: a cube without xarray.
    """
    if form not in FORMATS:
        raise SpecError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    study = load(folder)
    target = destination if destination is not None else folder / "export"
    target.mkdir(parents=True, exist_ok=True)
    if form == "netcdf":
        write_cube(study, target / "cells.nc")
        return [target / "cells.nc"]
    written = []
    for dataset, schema in DATASETS.items():
        path = target / f"{dataset}.{form}"
        with _writer(path, form, schema) as writer:
            for file in dataset_files(folder, dataset):  # one at a time: probes may be more than memory holds
                writer.write_table(read_file(file, dataset).cast(schema))
        written.append(path)
    return written


def _writer(
    path: Path, form: str, schema: pa.Schema
) -> pyarrow.csv.CSVWriter | pyarrow.parquet.ParquetWriter:
    if form == "csv":
        return pyarrow.csv.CSVWriter(path, schema)
    return pyarrow.parquet.ParquetWriter(path, schema, write_page_checksum=True)
