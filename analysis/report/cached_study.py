"""A study whose scores are read once, however many sections ask for them."""

from dataclasses import fields
from functools import cached_property

import pandas as pd

from analysis.reading.study_frames import Study

MOST_SCORES = 3_000_000
"""Scored probes that the report takes into memory for statistics over seeds and probes; with more it says so, and takes
the cells alone."""


class ReadOnce(Study):
    """The same study; ``scores`` are kept and cut to what is asked for."""

    @classmethod
    def of(cls, study: Study) -> "ReadOnce":
        """One more view of a study that is loaded."""
        return cls(**{field.name: getattr(study, field.name) for field in fields(study)})

    @cached_property
    def _kept(self) -> dict[tuple[str, str], pd.DataFrame]:
        return {}

    @cached_property
    def why_not(self) -> str:
        """Why no statistics over single answers are made; empty where they are."""
        if not self.place.files(".parquet", "results", "probes"):
            return "there are no probes beside the cells"
        rows = self.cells
        cells = int(((rows["metric"] == self.headline.metric) & (rows["split"] == "forget")).sum())
        asked = rows.loc[rows["split"] == "forget", "n"].max()
        if cells * (asked if asked == asked else 100) > MOST_SCORES:
            return (
                f"more than {MOST_SCORES:,} answers are scored, and `analysis.trajectories` and "
                "`analysis.compare` take a part of them"
            )
        return ""

    @property
    def by_answers(self) -> bool:
        """Whether statistics over single answers are made."""
        return not self.why_not

    def scores(self, metric: str, split: str = "forget", **fixed: object) -> pd.DataFrame:
        """As of a ``Study``; a part of more than memory should hold is read as such."""
        if not self.by_answers:
            return super().scores(metric, split, **fixed)
        if (metric, split) not in self._kept:
            self._kept[metric, split] = super().scores(metric, split)
        frame = self._kept[metric, split]
        for name, value in fixed.items():
            frame = frame[frame[name].isin(list(value) if isinstance(value, list | tuple) else [value])]
        return frame
