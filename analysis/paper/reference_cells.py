"""The cells that a claim of the paper is about, picked from a study."""

import numpy as np
import pandas as pd

from analysis.measures.surface import select
from analysis.reading.study_frames import Study
from analysis.statistics.crossed_design import Answers, crossed
from analysis.statistics.intervals import Estimate, estimate

NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0)


class ReferenceCells:
    """Where a study's numbers are read off."""

    def __init__(self, study: Study) -> None:
        rows = (
            select(study.cells, study.headline.metric, start="unlearned") if len(study.cells) else study.cells
        )
        benign = rows[rows["benign"] & (rows["corpus"] != "none")]
        present = set(benign["corpus"].astype(str))
        self.corpora = [str(each) for each in rows["corpus"].cat.categories if str(each) in present]
        self.last = int(benign["relearn_steps"].max()) if len(benign) else 0
        self._zero = benign[benign["relearn_steps"] == 0]
        self._forgotten = study.forgotten if len(rows) else float("nan")
        done = benign[(benign["relearn_steps"] == self.last) & (self.last > 0)]
        self.methods = [str(each) for each in done["method"].cat.categories if (done["method"] == each).any()]
        self.repetitions = sorted({int(str(each)) for each in done["repetitions"].unique()}, reverse=True)

    def depths(self, method: str, repetitions: int) -> list[int]:
        """Those that count as unlearned, seeds taken together, from the shallowest."""
        rows = self._zero[(self._zero["method"] == method) & (self._zero["repetitions"] == repetitions)]
        means = rows.groupby("depth")["value"].mean()
        return [int(str(each)) for each in means.index[means <= self._forgotten]]

    def where(self, method: str, repetitions: int, depth: int, corpus: str) -> dict[str, object]:
        """The coordinates of one trajectory, seeds together."""
        return {
            "start": "unlearned",
            "method": method,
            "repetitions": repetitions,
            "depth": depth,
            "corpus": corpus,
        }


def answers_of(rows: pd.DataFrame, metric: str, places: list[dict[str, object]]) -> Answers | None:
    """The scores of several cells, of the seeds and probes that all of them have; None where one is not there."""
    parts = []
    for at, place in enumerate(places):
        chosen = np.ones(len(rows), dtype=bool)
        for name, value in place.items():
            chosen &= (rows[name] == value).to_numpy()
        if not chosen.any():
            return None
        parts.append(rows[chosen].assign(cell=at))
    found = crossed(pd.concat(parts), "cell", metric)
    return found if found.seeds and found.probes else None


def rate(study: Study, place: dict[str, object]) -> Estimate:
    """The headline score of one place, seeds and probes taken together."""
    found = answers_of(study.ends, study.headline.metric, [place])
    return NOTHING if found is None else estimate(found, lambda rates: rates[:, 0], rate=True)


def difference(study: Study, one: dict[str, object], other: dict[str, object]) -> Estimate:
    """The difference of two places, paired by seed and probe."""
    found = answers_of(study.ends, study.headline.metric, [one, other])
    return NOTHING if found is None else estimate(found, lambda rates: rates[:, 0] - rates[:, 1])
