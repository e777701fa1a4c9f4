"""The cells that the paper's claims are read from, chosen in every study by one rule.

The first unlearning method, the most repetitions, the first benign corpus, the depths that count as unlearned (seeds
taken together), and the last relearn step. One choice for all claims: none is looked for where it holds best.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.measures.surface import select
from analysis.reading.study_frames import Study
from analysis.statistics.crossed_design import crossed
from analysis.statistics.intervals import Estimate, difference, estimate

NOT_UNLEARNED = "no relearned model that counts as unlearned"
NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)


class NotRunError(Exception):
    """The study lacks the cells of a claim; the message says which."""


@dataclass(frozen=True)
class Chosen:
    """What the claims are about: one trajectory at each of ``depths``, from the shallowest."""

    method: str
    repetitions: int
    depths: list[int]
    corpus: str


class ClaimCells:
    """A study's benign relearnings of unlearned models.

    Attributes:
        corpora, methods: those that were run, in the declared order.
        repetitions: the counts that were run, the most first.
        last: the greatest relearn step; 0 where nothing was relearned.
        has_control: whether a model that never learned was relearned on the first of the corpora.
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        rows = study.cells
        if len(rows):
            rows = select(rows, study.headline.metric, start="unlearned")
        self._benign = benign = rows[rows["benign"] & (rows["corpus"] != "none")]
        self.corpora = _occurring(benign["corpus"])
        self.last = int(benign["relearn_steps"].max()) if len(benign) else 0
        done = benign[(benign["relearn_steps"] == self.last) & (self.last > 0)]
        self.methods = _occurring(done["method"])
        self.repetitions = sorted({int(str(each)) for each in done["repetitions"].unique()}, reverse=True)
        starts = study.cells[["start", "corpus"]].astype(str)
        control = (starts["start"] == "never_learned") & starts["corpus"].isin(self.corpora[:1])
        self.has_control = bool(control.any())
        self._forgotten = study.forgotten if len(rows) else float("nan")

    def depths(self, method: str, repetitions: int) -> list[int]:
        """The depths that count as unlearned, from the shallowest: the mean over seeds is at most the study's limit."""
        rows = self._benign[self._benign["relearn_steps"] == 0]
        rows = rows[(rows["method"] == method) & (rows["repetitions"] == repetitions)]
        means = rows.groupby("depth")["value"].mean()
        return [int(str(each)) for each in means.index[means <= self._forgotten]]

    def chosen(self) -> Chosen:
        """The cells of the claims.

        Raises:
            NotRunError: no model that counts as unlearned was relearned on a benign corpus.
        """
        if not self.methods or not self.corpora:
            raise NotRunError(NOT_UNLEARNED)
        method, repetitions = self.methods[0], self.repetitions[0]
        depths = self.depths(method, repetitions)
        if not depths:
            raise NotRunError(NOT_UNLEARNED)
        return Chosen(method, repetitions, depths, self.corpora[0])

    def cell(self, chosen: Chosen, **other: object) -> dict[str, object]:
        """The coordinates of a chosen cell, the shallowest and at the last step unless told otherwise."""
        found = {"start": "unlearned", "method": chosen.method, "repetitions": chosen.repetitions}
        return {
            **found,
            "depth": chosen.depths[0],
            "corpus": chosen.corpus,
            "relearn_steps": self.last,
            **other,
        }

    def steps(self, cell: dict[str, object]) -> list[int]:
        """The relearn steps that were run of a cell's trajectory."""
        rows = self._benign
        for name, value in cell.items():
            if name != "relearn_steps":
                rows = rows[rows[name] == value]
        return sorted({int(str(each)) for each in rows["relearn_steps"].unique()})

    def rate(self, cell: dict[str, object]) -> Estimate:
        """The headline score of a cell, over seeds and probes; NaN where it is not there."""
        return self._estimate([cell])

    def contrast(self, one: dict[str, object], other: dict[str, object]) -> Estimate:
        """The score of one cell minus that of another, paired by seed and probe; NaN where one is not there."""
        return self._estimate([one, other])

    def _estimate(self, cells: list[dict[str, object]]) -> Estimate:
        metric = self._study.headline.metric
        steps = {int(str(cell["relearn_steps"])) for cell in cells}
        rows = (
            self._study.first_and_last_scores
            if steps <= {0, self.last}
            else self._study.scores(metric, relearn_steps=sorted(steps))
        )
        parts = []
        for at, cell in enumerate(cells):
            here = np.ones(len(rows), dtype=bool)
            for name, value in cell.items():
                here &= (rows[name] == value).to_numpy()
            if not here.any():
                return NOTHING
            parts.append(rows[here].assign(cell=at))
        found = crossed(pd.concat(parts), "cell", metric)
        if not found.seeds or not found.probes:
            return NOTHING
        if len(cells) == 1:
            return estimate(found, lambda rates: rates[:, 0], rate=True)
        return estimate(found, difference(found.settings, 0, 1))


def _occurring(column: "pd.Series[str]") -> list[str]:
    there = set(column.astype(str))
    return [str(each) for each in column.cat.categories if str(each) in there]
