"""The pictures of a study, as charts that a file or the page can show."""

from collections.abc import Iterator

from analysis.charts.chart import Chart
from analysis.charts.contours import frontier_rows, frontiers
from analysis.charts.controls import controls
from analysis.charts.curves import curves
from analysis.charts.heatmaps import heatmaps
from analysis.charts.ladder import ladder_rows, ladders
from analysis.charts.methods import methods
from analysis.charts.pooled import pooled_rows
from analysis.reading.study_frames import Study

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
