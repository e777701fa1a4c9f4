"""A study whose scores are read once, however many sections ask for them."""

from dataclasses import fields
from functools import cached_property

import pandas as pd

from analysis.frames import Study

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
    def few(self) -> bool:
        """Whether the scored forget probes fit, judged by the cells' counts."""
        rows = self.cells
        mine = rows[(rows["metric"] == self.headline.metric) & (rows["split"] == "forget")]
        asked = rows.loc[rows["split"] == "forget", "n"].max()
        return bool(len(mine) * (asked if asked == asked else 100) <= MOST_SCORES)

    def scores(self, metric: str, split: str = "forget", **fixed: object) -> pd.DataFrame:
        """As of a ``Study``; a part of more than memory should hold is read as such."""
        if not self.few:
            return super().scores(metric, split, **fixed)
        if (metric, split) not in self._kept:
            self._kept[metric, split] = super().scores(metric, split)
        frame = self._kept[metric, split]
        for name, value in fixed.items():
            frame = frame[frame[name].isin(list(value) if isinstance(value, list | tuple) else [value])]
        return frame
