"""The probes of a few cells, read without the rest: a study's probes may be more than memory holds."""

from collections.abc import Collection, Mapping

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.frames import Study
from study.results import dataset_files, read_file


def rows_of(study: Study, stages: Collection[str], **place: object) -> pd.DataFrame:
    """The forget probes that were read off some stages, in the order of relearn steps.

    Args:
        stages: their keys. Files are named after the stage whose rows they hold (see ``cluster.recorder``); where no
            name says so, every file is looked into.
        place: coordinates that the rows must have.
    """
    files = dataset_files(study.folder, "probes")
    named = [path for path in files if path.name.split("-")[0] in stages]
    found = [_chosen(read_file(path, "probes"), {**place, "split": "forget"}) for path in named or files]
    kept = [each for each in found if each.num_rows]
    if not kept:
        return pd.DataFrame()
    frame: pd.DataFrame = pa.concat_tables(kept).to_pandas()
    return frame.sort_values("relearn_steps", kind="stable")


def _chosen(rows: pa.Table, place: Mapping[str, object]) -> pa.Table:
    chosen = None
    for name, value in place.items():
        values = pa.array([value], type=rows.schema.field(name).type)
        equal = pc.is_in(rows[name], value_set=values)
        chosen = equal if chosen is None else pc.and_(chosen, equal)
    return rows.filter(chosen)
