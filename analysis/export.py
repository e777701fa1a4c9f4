"""Cells and probes as one file each, for whoever wants them elsewhere."""

from pathlib import Path

import pyarrow.csv
import pyarrow.parquet

from analysis.frames import load
from study.errors import SpecError
from study.results import DATASETS, read_dataset

FORMATS = ("csv", "parquet")


def export(folder: Path, form: str, destination: Path | None = None) -> list[Path]:
    """Writes ``cells`` and ``probes`` into a folder; null stays empty in CSV.

    Raises:
        SpecError: not a study, or an unknown format.
    """
    if form not in FORMATS:
        raise SpecError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    load(folder)
    target = destination if destination is not None else folder / "export"
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for dataset in DATASETS:
        rows = read_dataset(folder, dataset)
        path = target / f"{dataset}.{form}"
        if form == "csv":
            pyarrow.csv.write_csv(rows, path)
        else:
            pyarrow.parquet.write_table(rows, path, write_page_checksum=True)
        written.append(path)
    return written
