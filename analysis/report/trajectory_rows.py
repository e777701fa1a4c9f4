"""The probes of a few cells, read without the rest: a study's probes may be more than memory holds."""

from collections.abc import Collection

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.reading.row_reader import read_rows
from analysis.reading.study_frames import Study
from study.results.files import dataset_files, read_file
from study.results.schema import PROBES


def rows_of(study: Study, stages: Collection[str], **place: object) -> pd.DataFrame:
    """The forget probes that were read off some stages, in the order of relearn steps.

    Args:
        stages: their keys. Files are named after the stage whose rows they hold (``cluster.rows.recorder``): only
            those
            are opened. Where no name says so, or the study is not on this machine, every file is looked into.
        place: coordinates that the rows must have.
    """
    wanted = {name: [value] for name, value in {**place, "split": "forget"}.items()}
    files = dataset_files(study.folder, "probes") if study.place.filesystem is None else []
    named = [path for path in files if path.name.split("-")[0] in stages]
    if named:
        rows = pa.concat_tables([read_file(path, "probes") for path in named])
        for name, values in wanted.items():
            rows = rows.filter(pc.is_in(rows[name], pa.array(values, PROBES.field(name).type)))
    else:
        rows = read_rows(study.place, "probes", where={"stage": sorted(stages), **wanted})
    frame: pd.DataFrame = rows.to_pandas()
    return frame.sort_values("relearn_steps", kind="stable")
