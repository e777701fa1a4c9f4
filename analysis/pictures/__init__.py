"""The pictures of a study, as charts that a file or the page can show."""

from collections.abc import Iterator

from analysis.frames import Study
from analysis.pictures.charts import Chart
from analysis.pictures.controls import controls
from analysis.pictures.curves import curves
from analysis.pictures.frontiers import frontier_rows, frontiers
from analysis.pictures.heatmaps import heatmaps
from analysis.pictures.ladder import ladder_rows, ladders
from analysis.pictures.methods import methods
from analysis.pictures.pooled import pooled_rows

__all__ = ["Chart", "pictures"]


def pictures(study: Study, by_probes: bool = True) -> Iterator[Chart]:
    """All that the study's rows allow, in the order of the report.

    Args:
        by_probes: whether the frontier's band is over seeds and probes; without, no probes are read.
    """
    rows = pooled_rows(study)
    yield from heatmaps(study, rows)
    yield from frontiers(study, frontier_rows(study, by_probes))
    yield from curves(rows)
    yield from controls(rows)
    yield from methods(study)
    yield from ladders(study, ladder_rows(study))
