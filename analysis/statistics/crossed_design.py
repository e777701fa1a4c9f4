"""The scores of a crossed design: settings × seeds × probes, as one array.

All seeds are asked the same probes, and all cells of a scenario too. So two settings are compared within each pair
(seed, probe), and what the two share cancels. Only seeds and probes that every setting has are kept. An answer that has
no score, as a judge gives none to some, stands at the mean of its setting and seed, so that each mean is of the answers
that have one; what the choice of probes adds to an error is then a little too small.
The intervals are in ``analysis.statistics.rates`` and ``analysis.statistics.moderated``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.reading.given import study_or_probes
from analysis.reading.selection import matching, refuse_empty, refuse_unknown, refuse_unknown_values
from analysis.reading.studies import Studies
from analysis.reading.study_frames import SCORES, Study, coordinates, of_scored_cells
from analysis.reading.titles import cluster
from analysis.statistics.wilson import Numbers
from study.errors import SpecError, did_you_mean


@dataclass(frozen=True)
class Answers:
    """The scores of several settings, asked the same probes in the same seeds.

    Attributes:
        scores: settings × seeds × probes.
        settings: the value of the axis for each setting.
        seeds, probes: their names.
    """

    scores: Numbers
    settings: tuple[object, ...]
    seeds: tuple[int, ...]
    probes: tuple[str, ...]

    @property
    def clusters(self) -> tuple[str, ...]:
        """What each probe belongs to."""
        return tuple(map(cluster, self.probes))


def answers(
    probes: Study | Studies | pd.DataFrame,
    metric: str,
    axis: str = "relearn_steps",
    split: str = "forget",
    **fixed: object,
) -> Answers:
    """The scores along one axis, of the settings, seeds and probes that are there for all of it.

    Args:
        probes: a study, ``Study.probes`` or ``Study.scores(metric)``.
        metric: a column of scores; truth values count as 0 and 1.
        axis: the coordinate whose values are the settings, in order.
        fixed: the other coordinates, as in ``analysis.surface``.

    Raises:
        SpecError: no such column or coordinate, other coordinates vary, nothing is scored, or the settings
            share no seed or no probe.
    """
    given = study_or_probes(probes, "answers")
    probes = given if isinstance(given, pd.DataFrame) else given.scores(metric, split)
    if metric not in probes.columns:
        known = [name for name in SCORES if name in probes]
        words = f"the probes have no such column of scores; they have {', '.join(known) or 'none'}"
        raise SpecError(f"metric={metric}: {words}{did_you_mean(str(metric), known)}")
    refuse_unknown([axis], coordinates(probes))
    refuse_unknown_values(probes, fixed)
    rows = matching(of_scored_cells(probes[probes["split"] == split], metric), fixed)
    if rows.empty:
        refuse_empty(probes, {"split": split, **fixed})
        raise SpecError(f"{metric}: no scored {split} probe of {_words(fixed)}")
    for name in coordinates(rows):
        values = [str(value) for value in rows[name].unique()]
        if name not in (axis, "seed") and len(values) > 1:
            raise SpecError(f"these answers would mix {name} {', '.join(values)}: choose one with {name}=…")
    found = crossed(rows, axis, metric)
    if not found.seeds or not found.probes:
        raise SpecError(
            f"{metric}: the values of {axis} share no {'probe' if found.seeds else 'seed'}; compare fewer"
        )
    return found


def crossed(rows: pd.DataFrame, axis: str, metric: str) -> Answers:
    """Scores along an axis, of the seeds and probes that all its values have; there may be none.

    Args:
        rows: one row per (value of the axis, seed, probe); the same score may stand more than once, as where two cells
            are read off one checkpoint.

    Raises:
        SpecError: one of these has two scores, so the rows mix what nobody named.
    """
    positions, names = [], []
    for name in (axis, "seed", "probe"):
        codes, values = pd.factorize(rows[name], sort=True)
        positions.append(codes[::-1])
        names.append(list(values))
    scores = np.full([len(each) for each in names], np.nan)
    scores[tuple(positions)] = rows[metric].to_numpy(np.float64, na_value=np.nan)[::-1]
    kept, given = scores[tuple(positions)], rows[metric].to_numpy(np.float64, na_value=np.nan)[::-1]
    other = (kept != given) & ~np.isnan(given)
    if other.any():
        raise SpecError(
            f"{metric}: {int(other.sum())} of {len(rows)} answers stand twice for one {axis}, seed and probe, "
            f"with another "
            "score: these rows mix cells that differ in something else; choose one value of it"
        )
    there = np.zeros(scores.shape, dtype=bool)
    there[tuple(positions)] = True
    seeds = (~np.isnan(scores)).any(axis=2).all(axis=0)
    kept_scores = scores[:, seeds]
    if np.isnan(kept_scores[there[:, seeds]]).any():
        means = np.nanmean(kept_scores, axis=2, keepdims=True)
        scores[:, seeds] = np.where(np.isnan(kept_scores), means, kept_scores)
    probes = np.zeros(scores.shape[2], dtype=bool)
    if seeds.any():
        probes[:] = there[:, seeds].all(axis=(0, 1))
    return Answers(
        scores[:, seeds][:, :, probes],
        tuple(names[0]),
        tuple(int(each) for each, kept in zip(names[1], seeds, strict=True) if kept),
        tuple(str(each) for each, kept in zip(names[2], probes, strict=True) if kept),
    )


def _words(fixed: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in fixed.items()) or "this study"
