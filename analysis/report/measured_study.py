"""A study as its report measures it: what more than one section needs is read or computed once, and kept.

Sections are functions of it. The scores of one metric are read from the files once, for both splits; every measure asks
``scores`` for its part. Of a study with more scores than memory should hold, each measure reads its own part from the
files, and those over all single answers are left out.
"""

from dataclasses import fields
from functools import cached_property

import pandas as pd

from analysis.charts.pooled import Rows, pooled_rows
from analysis.measures.recovery.flow import flow
from analysis.measures.recovery.net_recovery import net_recovery
from analysis.measures.recovery.verdicts import counted_steps, verdicts
from analysis.reading.search_result import SearchResult, read_search_result
from analysis.reading.study_frames import Study

MOST_SCORES = 3_000_000
"""Scores that a report takes into memory."""


class MeasuredStudy(Study):
    """The same study, with what its report measures."""

    @classmethod
    def of(cls, study: Study) -> "MeasuredStudy":
        """The frames are shared with the study that is given."""
        return cls(**{field.name: getattr(study, field.name) for field in fields(study)})

    @cached_property
    def pooled(self) -> Rows:
        """The headline metric of every setting, seeds pooled and one by one."""
        return pooled_rows(self)

    @cached_property
    def net_recovery(self) -> pd.DataFrame:
        """Every step of every relearning beside its original and its control, ``net_recovery``."""
        return net_recovery(self)

    @cached_property
    def flow(self) -> pd.DataFrame:
        """Every relearning, and which rules of the flow it meets, ``analysis.measures.recovery.flow``."""
        return flow(self, self.net_recovery)

    @cached_property
    def counted(self) -> pd.DataFrame:
        """The steps of the benign relearnings that count, ``analysis.measures.recovery.verdicts``."""
        return counted_steps(self, self.flow, self.net_recovery)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """What can be stated of them."""
        return verdicts(self, self.counted)

    @cached_property
    def search(self) -> SearchResult | None:
        """What its search found; None where there was none, or it has no answer yet, or is not on this machine."""
        return read_search_result(self.folder) if self.location.filesystem is None else None

    @cached_property
    def why_no_answers(self) -> str:
        """Why there are no statistics over single answers; empty where there are."""
        if not self.location.files(".parquet", "results", "probes"):
            return "there are no probes beside the cells"
        asked = self.cells.loc[self.cells["split"] == "forget", "n"].max()
        if len(self.headline_cells) * (asked if asked == asked else 100) > MOST_SCORES:
            return (
                f"more than {MOST_SCORES:,} answers are scored, and `analysis.trajectories` and "
                "`analysis.compare` take a part of them"
            )
        return ""

    @property
    def by_answers(self) -> bool:
        """Whether there are statistics over single answers."""
        return not self.why_no_answers

    def scores(self, metric: str, split: str = "forget", **fixed: object) -> pd.DataFrame:
        """As of a ``Study``."""
        if not self.by_answers:
            return super().scores(metric, split, **fixed)
        if metric not in self._scores:
            frame = self.read_scores(metric, {})
            self._scores[metric] = {
                str(name): rows for name, rows in frame.groupby("split", observed=True, sort=False)
            } | {"": frame.head(0)}
        found = self._scores[metric].get(split, self._scores[metric][""])
        for name, value in fixed.items():
            found = found[found[name].isin(list(value) if isinstance(value, list | tuple) else [value])]
        return found

    @cached_property
    def _scores(self) -> dict[str, dict[str, pd.DataFrame]]:
        """Metric → split → scores; the empty name holds a frame without rows."""
        return {}
