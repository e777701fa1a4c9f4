"""Answers as settings × seeds × probes, and a bootstrap over seeds and probes for anything computed from them.

All seeds are asked the same probes and all cells of a scenario too, so the design is crossed: a draw takes seeds
with replacement, and probes with replacement, the same ones in every seed and every cell. A difference between
two cells is so computed within each draw, and what they share cancels. With one seed only probes are drawn, and the
interval says nothing about other seeds; with two or three it is much too narrow where seeds differ (there are ten
ways to draw three seeds out of three): what is smooth has a better interval in ``analysis.statistics.two_way``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.reading.study_frames import coordinates
from study.errors import SpecError

Numbers = npt.NDArray[np.float64]
DRAWS = 2000
BLOCK = 200
"""Draws at a time: memory stays at BLOCK × seeds × probes × cells numbers."""


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


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value, low, high: NaN where nothing can be said.
        seeds: how many it rests on; with one, the interval is over probes alone.
    """

    value: float
    low: float
    high: float
    seeds: int


def answers(
    probes: pd.DataFrame, metric: str, axis: str = "relearn_steps", split: str = "forget", **fixed: object
) -> Answers:
    """The scores along one axis, of the settings, seeds and probes that are there for all of it.

    Args:
        probes: ``Study.probes``.
        metric: a column of scores; truth values count as 0 and 1.
        axis: the coordinate whose values are the settings, in order.
        fixed: the other coordinates, as in ``analysis.surface``.

    Raises:
        SpecError: no such column or coordinate, other coordinates vary, nothing is scored, or the settings
            share no seed or no probe.
    """
    if metric not in probes.columns:
        raise SpecError(f"metric={metric}: the probes have no such column of scores")
    unknown = [name for name in (axis, *fixed) if name not in coordinates(probes)]
    if unknown:
        raise SpecError(f"{unknown[0]} is no coordinate: choose from {', '.join(coordinates(probes))}")
    rows = probes[(probes["split"] == split) & probes[metric].notna()]
    for name, value in fixed.items():
        rows = rows[rows[name].isin(list(value) if isinstance(value, list | tuple) else [value])]
    if rows.empty:
        raise SpecError(f"{metric}: no scored {split} probe of {_words(fixed)}")
    for name in coordinates(rows):
        values = [str(value) for value in rows[name].unique()]
        if name not in (axis, "seed") and len(values) > 1:
            raise SpecError(f"these answers would mix {name} {', '.join(values)}: choose one with {name}=…")
    found = cube(rows, axis, metric)
    if not found.seeds or not found.probes:
        raise SpecError(
            f"{metric}: the values of {axis} share no {'probe' if found.seeds else 'seed'}; compare fewer"
        )
    return found


def cube(rows: pd.DataFrame, axis: str, metric: str) -> Answers:
    """Scores along an axis, of the seeds and probes that are there for all of it; none may be left.

    Args:
        rows: one row per (value of the axis, seed, probe); of several the first counts.
    """
    places, names = [], []
    for name in (axis, "seed", "probe"):
        codes, values = pd.factorize(rows[name], sort=True)
        places.append(codes[::-1])
        names.append(list(values))
    scores = np.full([len(each) for each in names], np.nan)
    scores[tuple(places)] = rows[metric].to_numpy(np.float64, na_value=np.nan)[::-1]
    there = ~np.isnan(scores)
    seeds = there.any(axis=2).all(axis=0)
    probes = there[:, seeds].all(axis=(0, 1)) if seeds.any() else np.zeros(scores.shape[2], dtype=bool)
    return Answers(
        scores[:, seeds][:, :, probes],
        tuple(names[0]),
        tuple(int(each) for each, kept in zip(names[1], seeds, strict=True) if kept),
        tuple(str(each) for each, kept in zip(names[2], probes, strict=True) if kept),
    )


def bootstrap(
    found: Answers,
    statistic: Callable[[Numbers], Numbers],
    confidence: float = 0.95,
    draws: int = DRAWS,
) -> Estimate:
    """A statistic of the rates of all settings, with its percentile interval.

    Args:
        statistic: from rates, draws × settings, to one number a draw; NaN where a draw has none.
        confidence: between 0 and 1.
    """
    value = float(statistic(found.scores.mean(axis=(1, 2))[None, :])[0])
    drawn = np.concatenate([statistic(rates) for rates in resampled(found.scores, draws)])
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < draws / 2:  # undefined in most draws: an interval over the rest would mislead
        return Estimate(value, float("nan"), float("nan"), len(found.seeds))
    tail = (1 - confidence) / 2
    # Values that were drawn, not between them: a step that is never reached is infinite.
    low, high = np.quantile(drawn, [tail, 1 - tail], method="inverted_cdf")
    return Estimate(value, float(low), float(high), len(found.seeds))


def resampled(scores: Numbers, draws: int, seed: int = 0) -> Iterator[Numbers]:
    """Rates of all settings in each draw, in blocks of draws × settings.

    Args:
        scores: settings × seeds × probes.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    settings, seeds, probes = scores.shape
    flat = scores.reshape(settings * seeds, probes)
    for begin in range(0, draws, BLOCK):
        size = min(BLOCK, draws - begin)
        of_probes = generator.multinomial(probes, np.full(probes, 1 / probes), size=size) / probes
        of_seeds = (
            generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=size) / seeds
            if seeds > 1
            else np.ones((size, 1))
        )
        by_seed = (of_probes @ flat.T).reshape(size, settings, seeds)
        yield np.einsum("dcs,ds->dc", by_seed, of_seeds)


def _words(fixed: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in fixed.items()) or "this study"


def difference(settings: Sequence[object], one: object, other: object) -> Callable[[Numbers], Numbers]:
    """The statistic "rate of one setting minus rate of another"."""
    first, second = list(settings).index(one), list(settings).index(other)
    return lambda rates: rates[:, first] - rates[:, second]
