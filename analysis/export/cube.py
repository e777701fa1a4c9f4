"""A study's cells as a cube over the axes: an xarray dataset, and the netCDF file that keeps it.

Every metric of every split is a variable over the nine coordinates, of which those with one value are kept too, so
that cubes of several studies can be joined. What was not computed is NaN: a cube cannot leave a value out. netCDF 3 is
written, which needs nothing beside xarray and scipy and is read by everything.
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
    "rouge_l_ascii": ("1", "ROUGE-L F1 over the letters a to z and digits, mean over probes"),
    "judge_rating": ("1", "judge's rating from 1 to 10, mean over probes"),
    "target_nll": ("nat", "negative log-likelihood of the target, summed over its tokens, mean over probes"),
    "target_rank": ("1", "rank of the target's worst-placed token, 1 is the most likely, mean over probes"),
    "perplexity": ("1", "exp of the nats per target token"),
    "utility": ("1", "harmonic mean of target probability and text score"),
}
PARTS = {"value": ("", ""), "k": ("_k", "how many"), "n": ("_n", "of how many scored probes")}
"""Column of the cells → what its variable's name ends in, and what it is."""
MISSING = "NaN: not computed, or not scored; never 0"
MOST_VALUES = 50_000_000
"""Values of a cube, over all its variables: 400 MB."""


def cube(study: Study) -> "xarray.Dataset":
    """The cells over their coordinates.

    Returns:
        For each split and metric a variable ``forget_keyword_hit``; where it is a count, ``…_k`` and ``…_n`` beside
        it; float64, NaN where nothing was computed. Attributes hold units, the spec and its provenance.

    Raises:
        PreflightError: xarray is not installed.
        SpecError: no cell has been accepted, or the axes span more than memory should hold.
    """
    library = _xarray()
    cells = study.cells
    if cells.empty:
        raise SpecError(f"{study.folder}: no cell has been accepted yet, so there is no cube to write")
    axes = {name: _values(cells[name]) for name in COORDINATES}
    groups = dict(list(cells.groupby(["split", "metric"], observed=True)))
    _check_size(axes, len(groups))
    variables = {}
    for (split, metric), rows in groups.items():
        unit, words = UNITS.get(str(metric), ("1", str(metric)))
        index = pd.MultiIndex.from_frame(rows[list(COORDINATES)].astype(dict.fromkeys(WORDS, object)))
        for column, (ending, about) in PARTS.items():
            if column == "value" or metric in COUNTS:
                values = pd.Series(rows[column].to_numpy(np.float64, na_value=np.nan), index)
                variable = library.DataArray.from_series(values).reindex(axes)
                variable.attrs = {
                    "units": "1" if about else unit,
                    "long_name": f"{split}: {about or words}",
                }
                variables[f"{split}_{metric}{ending}"] = variable
    built: xarray.Dataset = library.Dataset(variables, coords=axes, attrs=_attributes(study))
    for name, about in (("depth", "unlearning"), ("relearn_steps", "relearning")):
        built[name].attrs = {"units": "optimiser steps", "long_name": f"{about} steps"}
    return built


def write_cube(study: Study, path: Path) -> None:
    """Writes the cube as netCDF 3; errors as of ``cube``."""
    built = cube(study)
    if (
        int(built["seed"].max()) >= 2**31
    ):  # netCDF 3 has no integers of 64 bits; a double is exact up to 2**53
        built["seed"] = built["seed"].astype(np.float64)
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


def _values(column: pd.Series) -> list[Any]:
    """The values of an axis: names in their declared order, numbers sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [str(value) for value in column.cat.remove_unused_categories().cat.categories]
    return sorted(column.unique().tolist())


def _check_size(axes: dict[str, list[Any]], metrics: int) -> None:
    size = int(np.prod([len(values) for values in axes.values()])) * metrics * 2
    if size > MOST_VALUES:
        long = ", ".join(f"{name} {len(values)}" for name, values in axes.items() if len(values) > 1)
        raise SpecError(
            f"a cube over {long} has {size:,} values, most of them empty, and at most {MOST_VALUES:,} are written: "
            "export as parquet, or run the parts as studies of their own"
        )


def _attributes(study: Study) -> dict[str, str]:
    content = study.content
    return {
        "title": str(content["spec"].get("name", "")),
        "question": str(content["spec"].get("question", "")),
        "state": study.summary(),
        "missing": MISSING,
        "spec": json.dumps(content["spec"], ensure_ascii=False),
        "provenance": json.dumps(content.get("provenance", {}), ensure_ascii=False, default=str),
        "names": ", ".join(WORDS),
    }
