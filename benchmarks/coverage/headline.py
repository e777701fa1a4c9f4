"""How often the first claim of a report holds: "relearning a corpus brings back more than it teaches the control".

Simulated studies of three corpora at two depths, in which the claim is false in one of three ways, or true. It is
judged as a report does, beside those on the best step and on pairs of corpora. Seeds differ and are alike as in
``benchmarks.coverage.worlds``; each rate is a mean over all seeds and probes.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from analysis.measures.recovery.statements import comes_back, comes_back_at_best, corpora
from analysis.measures.recovery.verdicts import DOES_NOT, HOLDS, judged
from benchmarks.coverage.worlds import ALONG, BETWEEN, middle_of

SIZES = [
    (seeds, probes, differ)
    for probes in (100, 20)
    for seeds in (3, 10, 2, 5)
    for differ in (1.3, 4.4, 2.5, 0.5)
]
"""Seeds, probes, and how much seeds differ: the most usual first."""
STUDIES = 10
"""In a batch."""
CORPORA, DEPTHS, STEPS = ("a", "b", "c"), (8, 12), (5, 40)


@dataclass(frozen=True)
class World:
    """Rates before relearning, after it, and of the control; after it on the last corpus, where that is another."""

    words: str
    before: float
    after: float
    control: float
    last: float | None = None

    @property
    def true(self) -> bool:
        """Whether anything came back."""
        return self.after > max(self.before, self.control)


WORLDS = {
    "nothing": World("nothing comes back", 0.02, 0.02, 0.02),
    "learned": World("the control learns as much: 35%", 0.02, 0.35, 0.35),
    "left": World("20% was left, and stays", 0.2, 0.2, 0.02),
    "little": World("20 points come back", 0.02, 0.22, 0.02),
    "much": World("50 points come back", 0.02, 0.52, 0.02),
}
COLUMNS = tuple(f"{name}_{what}" for name in WORLDS for what in ("holds", "does_not", "any"))


def batch(seeds: int, probes: int, differ: float, number: int, studies: int) -> dict[str, float]:
    """Of every world: the share of claims that hold and that do not, and of studies in which one holds."""
    found = {}
    for at, (name, world) in enumerate(WORLDS.items()):
        generator = np.random.default_rng([seeds, probes, round(10 * differ), number, at])
        said = [_claims(simulated_rows(generator, world, seeds, probes, differ)) for _ in range(studies)]
        found[f"{name}_holds"] = float(np.mean([verdict == HOLDS for each in said for verdict in each]))
        found[f"{name}_does_not"] = float(np.mean([verdict == DOES_NOT for each in said for verdict in each]))
        found[f"{name}_any"] = float(np.mean([HOLDS in each for each in said]))
    return found


def _claims(rows: pd.DataFrame) -> list[str]:
    table = judged([each for make in (comes_back, comes_back_at_best, corpora) for each in make(rows)])
    mine = table["statement"].str.endswith("brings back more than it teaches the control")
    return [str(verdict) for verdict in table.loc[mine, "verdict"]]


def simulated_rows(
    generator: np.random.Generator, world: World, seeds: int, probes: int, differ: float
) -> pd.DataFrame:
    """What ``analysis.measures.recovery.verdicts.counted_steps`` gives of one simulated study."""
    probe = generator.normal(size=probes)
    common = generator.normal(size=seeds) * np.sqrt(BETWEEN)

    def answered(rate: float, curve: np.ndarray) -> np.ndarray:
        """Of each seed, at one step of a curve that has these deviations."""
        here = common + curve + generator.normal(size=seeds) * np.sqrt(1 - ALONG)
        chance = expit(middle_of(rate, float(np.hypot(differ, 1))) + differ * here[:, None] + probe)
        return np.asarray((generator.random(chance.shape) < chance).mean(axis=1))

    def curve() -> np.ndarray:
        return np.asarray(generator.normal(size=seeds) * np.sqrt(ALONG - BETWEEN))

    made = []
    controls = {corpus: curve() for corpus in CORPORA}
    taught = {
        (corpus, step): answered(world.control, controls[corpus]) for corpus in CORPORA for step in STEPS
    }
    for depth in DEPTHS:
        model = curve()
        before = answered(world.before, model)
        for corpus in CORPORA:
            relearned = model if world.before == world.after else curve()
            for step in STEPS:
                other = world.last if corpus == CORPORA[-1] else None
                value = answered(world.after if other is None else other, relearned)
                made += [
                    (depth, corpus, seed, step, value[seed], before[seed], taught[corpus, step][seed])
                    for seed in range(seeds)
                ]
    rows = pd.DataFrame(
        made, columns=["depth", "corpus", "seed", "relearn_steps", "value", "before", "control"]
    )
    floor = rows[["before", "control"]].max(axis=1)
    return rows.assign(
        scenario="simulated",
        model="m",
        method="m",
        start="unlearned",
        repetitions=1,
        queries=float(probes),
        utility=1.0,
        floor=floor,
        gain=rows["value"] - floor,
        controlled="never learned",
        last_step=STEPS[-1],
    )
