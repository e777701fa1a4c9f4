"""What a planned study will be able to tell: the least difference that it would see, and how wide a rate's interval is.

The spread over seeds decides it; ten times the probes buy less than two more seeds. It is taken from an earlier study
where the folder holds one with three seeds or more, and else assumed as in this project's own studies: logits of the
seeds' rates that differ by 1.3, so that rates near a half differ by 24 points, and differences of two rates by as much.
The formulas are checked by simulation (docs/SIMULATIONS.md); they are for rates near a half, where seeds differ most.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy  # its parts load when they are first used

from analysis.reading.studies import load
from analysis.reading.study_frames import Study
from analysis.statistics.moderated import POWER, SHARE
from study.errors import IntegrityError, SpecError
from study.results.schema import COORDINATES

TYPICAL = 0.23
"""Standard deviation over seeds of a rate, and of a difference of two, before the noise of its probes."""
KNOWN_OF_RATES = 5.0
"""What the prior of a rate tells, as one over a squared half-width."""
FEWEST = 3
LEAST = 1e-9
"""A smaller spread is that of rounding."""
MORE = 2


@dataclass(frozen=True)
class Spread:
    """Standard deviations over seeds of a rate and of a difference of two, and which study they are from."""

    of_rates: float
    of_differences: float
    source: str


@dataclass(frozen=True)
class Resolution:
    """What so many seeds tell, in points.

    Attributes:
        difference: what is found in 80% of studies, of one row read alone; NaN with one seed.
        half_width: of a rate's 95% interval.
    """

    seeds: int
    difference: float
    half_width: float


def resolution(seeds: int, probes: int, rows: int, spread: Spread | None = None) -> Resolution:
    """What a study of this size can tell.

    Args:
        rows: how many comparisons stand in one table, which share what they tell of the spread.
    """
    noise = 0.25 / max(1, probes)
    if spread is None:
        spread = Spread(np.sqrt(TYPICAL**2 + noise), np.sqrt(TYPICAL**2 + 2 * noise), "")
    if seeds < 2:
        return Resolution(seeds, float("nan"), 100 * 1.96 * np.sqrt(noise))
    freedom = (seeds - 1) * (1 + (SHARE * rows if rows > 1 else 0))
    both = scipy.special.stdtrit(freedom, 0.975) + scipy.special.stdtrit(freedom, POWER)
    half_width = (seeds / (1.96 * spread.of_rates) ** 2 + KNOWN_OF_RATES) ** -0.5
    return Resolution(
        seeds, float(100 * both * spread.of_differences / np.sqrt(seeds)), float(100 * half_width)
    )


def in_words(seeds: int, probes: int, rows: int, spread: Spread | None) -> str:
    """The sentence of ``relearn plan``."""
    now, then = (resolution(count, probes, rows, spread) for count in (seeds, seeds + MORE))
    source = (
        f"seeds differ as in {spread.source}" if spread else "if seeds differ as in this project's studies"
    )
    if seeds < 2:
        return (
            f"with 1 seed and {probes} queries you will see nothing of other seeds, each rate of this one to "
            f"±{now.half_width:.0f}; two more seeds: {_seen(then)} "
            f"({source}; 80% power, each difference read alone, rates near 50%)"
        )
    return (
        f"with {seeds} seeds and {probes} queries you will see {_seen(now)}, "
        f"each rate to ±{now.half_width:.0f}; with two more seeds {_seen(then)}, and ±{then.half_width:.0f} "
        f"({source}; 80% power, each difference read alone, rates near 50%)"
    )


def _seen(found: Resolution) -> str:
    """Two rates differ by at most 100 points."""
    if found.difference > 100:
        return "no difference, however large"
    return f"differences of {found.difference:.0f} points or more"


def as_dict(seeds: int, probes: int, rows: int, spread: Spread | None) -> dict[str, object]:
    """For ``--json``; null where nothing can be said."""
    found = [asdict(resolution(count, probes, rows, spread)) for count in (seeds, seeds + MORE)]
    plain = [{name: None if value != value else value for name, value in each.items()} for each in found]
    return {
        "probes": probes,
        "comparisons": rows,
        "source": spread.source if spread else None,
        "seeds": plain,
    }


def spread_of(folder: Path) -> Spread | None:
    """The spread over seeds in the rows of a folder; None where no study with enough seeds is there."""
    if not (folder / "study.json").is_file():
        return None
    try:
        return seed_spread(load(folder))
    except (SpecError, IntegrityError):
        return None  # what is wrong with the rows is said by the verbs that need them


def seed_spread(study: Study) -> Spread | None:
    """The spread over seeds of the settings that are neither near 0 nor near 1."""
    rows = study.headline_cells
    rows = rows[(rows["start"] == "unlearned") & (rows["relearn_steps"] > 0)]
    setting = [name for name in COORDINATES if name != "seed"]
    values = rows.pivot_table(index=setting, columns="seed", values="value", observed=True)
    rates = (values - study.headline.least) / study.headline.span
    rates = rates.dropna()
    rates = rates[rates.mean(axis=1).between(0.1, 0.9)]
    if rates.shape[1] < FEWEST or len(rates) < FEWEST:
        return None
    others = [name for name in setting if name != "corpus"]
    between = [
        (group.iloc[one] - group.iloc[other]).var(ddof=1)
        for _, group in rates.groupby(level=others, observed=True)
        for one in range(len(group))
        for other in range(one)
    ]
    of_rates = float(np.sqrt(rates.var(axis=1, ddof=1).mean()))
    if of_rates < LEAST:
        return None  # seeds that are all alike tell nothing of how much others differ
    return Spread(of_rates, float(np.sqrt(np.mean(between))) if between else of_rates, study.name)
