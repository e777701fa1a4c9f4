"""A study's cells as a cube over the axes: an xarray dataset, and the netCDF file that keeps it.

Every metric of every split is a variable over the nine coordinates, of which those with one value are kept too, so
that cubes of several studies can be joined. What was not computed is NaN: a cube has no other way to leave a place
out. netCDF 3 is written, which needs nothing beside xarray and scipy and is read by everything.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from analysis.reading.study_frames import WORDS, Study
from study.errors import PreflightError, SpecError
from study.results.schema import COORDINATES, COUNTS

if TYPE_CHECKING:  # an optional package
    import xarray

UNITS = {
    "keyword_hit": ("1", "share of the probes whose continuation has the keyword"),
    "keyword_anywhere": ("1", "share of the probes with the phrase anywhere in prompt and continuation"),
    "exact": ("1", "share of the probes whose continuation begins with the target"),
    "rouge_l": ("1", "ROUGE-L F1 against the target, mean over probes"),
    "judge_rating": ("1", "judge's rating from 1 to 10, mean over probes"),
    "target_nll": ("nat", "negative log-likelihood of the target, summed over its tokens, mean over probes"),
    "target_rank": ("1", "rank of the target's first token, 1 is the most likely, mean over probes"),
    "perplexity": ("1", "exp of the nats per target token"),
    "utility": ("1", "harmonic mean of target probability and text score"),
}
MOST_PLACES = 50_000_000
"""Places of a cube, over all its variables: 400 MB."""


def cube(study: Study) -> "xarray.Dataset":
    """The cells over their coordinates.

    Returns:
        For each split and metric a variable ``forget_keyword_hit``; where it is a count, ``…_k`` and ``…_n`` beside
        it; float64, NaN where nothing was computed. Attributes hold units, the spec and its provenance.

    Raises:
        PreflightError: xarray is not installed.
        SpecError: no cell has been accepted, or the axes span more than memory should hold.
    """
    cells = study.cells
    if cells.empty:
        raise SpecError(f"{study.folder}: no cell has been accepted yet, so there is no cube to write")
    axes = {name: _values(cells[name]) for name in COORDINATES}
    shape = tuple(len(values) for values in axes.values())
    pairs = cells[["split", "metric"]].drop_duplicates().astype(str).sort_values(["split", "metric"])
    size = int(np.prod(shape)) * len(pairs) * 2
    if size > MOST_PLACES:
        long = ", ".join(f"{name} {len(values)}" for name, values in axes.items() if len(values) > 1)
        raise SpecError(
            f"a cube over {long} has {size:,} places, most of them empty, and at most {MOST_PLACES:,} are written: "
            "export as parquet, or run the parts as studies of their own"
        )
    places = tuple(_codes(cells[name], values) for name, values in axes.items())
    variables = {}
    for split, metric in pairs.itertuples(index=False):
        mine = ((cells["split"] == split) & (cells["metric"] == metric)).to_numpy()
        unit, words = UNITS.get(metric, ("1", metric))
        columns = {"": ("value", unit, words)}
        if metric in COUNTS:
            columns |= {"_k": ("k", "1", "how many"), "_n": ("n", "1", "of how many scored probes")}
        for ending, (column, column_unit, about) in columns.items():
            values = np.full(shape, np.nan)
            values[tuple(place[mine] for place in places)] = cells[column].to_numpy(float, na_value=np.nan)[
                mine
            ]
            attributes = {"units": column_unit, "long_name": f"{split}: {about}"}
            variables[f"{split}_{metric}{ending}"] = (list(COORDINATES), values, attributes)
    built: xarray.Dataset = _xarray().Dataset(variables, coords=axes, attrs=_about(study))
    built["depth"].attrs = {"units": "optimiser steps", "long_name": "unlearning steps"}
    built["relearn_steps"].attrs = {"units": "optimiser steps", "long_name": "relearning steps"}
    return built


def write_cube(study: Study, path: Path) -> None:
    """Writes the cube as netCDF 3; errors as of ``cube``."""
    built = cube(study)
    for name in ("repetitions", "depth", "relearn_steps", "seed"):
        built[name] = built[name].astype(_narrow(built[name].to_numpy()))
    built.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")


def _xarray() -> Any:
    try:
        import xarray
    except ModuleNotFoundError:
        raise PreflightError(
            "--format netcdf needs xarray, which is not installed: pip install 'relearn[cube]', or choose csv "
            "or parquet"
        ) from None
    return xarray


def _values(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, pd.CategoricalDtype):
        there = set(column.unique())
        return np.array([str(value) for value in column.cat.categories if value in there], dtype=object)
    return np.sort(column.unique())


def _codes(column: pd.Series, values: np.ndarray) -> np.ndarray:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.set_categories(list(values)).cat.codes.to_numpy(np.intp)
    return np.searchsorted(values, column.to_numpy())


def _narrow(values: np.ndarray) -> type:
    """NetCDF 3 has no integers of 64 bits; a seed beyond 32 is kept as a double, exact up to 2**53."""
    return np.int32 if np.abs(values).max(initial=0) < 2**31 else np.float64


def _about(study: Study) -> dict[str, str]:
    content = study.content
    return {
        "title": str(content["spec"].get("name", "")),
        "question": str(content["spec"].get("question", "")),
        "state": study.summary(),
        "missing": "NaN: not computed, or not scored; never 0",
        "spec": json.dumps(content["spec"], ensure_ascii=False),
        "provenance": json.dumps(content.get("provenance", {}), ensure_ascii=False, default=str),
        "names": ", ".join(WORDS),
    }
