"""How often a verdict's interval holds a gain above a control at 0, and a difference of two, where seeds lie
near 0 or 100%.

    python -m benchmarks.coverage.gains

Nothing was left before relearning and the control answers nothing, so a gain is a rate; one corpus of three brings back
nothing, so a difference from it is a rate too. The interval that is shown is adjusted for all statements of its table,
as a report does. It writes a table of docs/SIMULATIONS.md, in a quarter of an hour.
"""

import os
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: many small products are slower on several threads

import numpy as np
from scipy.special import expit

from analysis.measures.recovery.statements import comes_back, comes_back_at_best, corpora
from analysis.measures.recovery.verdicts import DOES_NOT, HOLDS, judged
from benchmarks.coverage.headline import CORPORA, World, simulated_rows
from benchmarks.coverage.tables import table
from benchmarks.coverage.worlds import middle_of
from benchmarks.marked_section import replace_between

DIFFER, SEEDS, GAINS, PROBES = (0.5, 1.3, 2.5, 4.4), (3, 5, 10), (0.12, 0.3, 0.85), 100
STUDIES = 100
NOTHING = 1e-9


def _size(differ: float, seeds: int, gain: float) -> list[str]:
    """Of gains and of differences: how many intervals hold the truth (how many verdicts deny it, how many find it)."""
    said: dict[bool, list[tuple[bool, bool, bool]]] = {False: [], True: []}
    spread = np.random.default_rng(1).normal(size=2_000)
    for number in range(STUDIES):
        key = [23, seeds, round(10 * differ), round(100 * gain), number]
        probe = np.random.default_rng(key).normal(size=PROBES)  # as simulated_rows draws them first
        middle = middle_of(gain, float(np.hypot(differ, 1)))
        true = float(np.mean([expit(middle + differ * spread + each).mean() for each in probe]))
        world = World("a gain above nothing", NOTHING, gain, NOTHING, last=NOTHING)
        rows = simulated_rows(np.random.default_rng(key), world, seeds, PROBES, differ)
        found = judged([each for make in (comes_back, comes_back_at_best, corpora) for each in make(rows)])
        for row in found[found["low"].notna()].to_dict("records"):
            first, *_, other = CORPORA
            back = row["statement"].startswith(f"relearning {first} ")
            differs = row["statement"] == f"{first} brings back more than {other}"
            if back or differs:
                held = row["low"] <= true <= row["high"]
                said[differs].append((held, row["verdict"] == DOES_NOT, row["verdict"] == HOLDS))
    return [_shares(said[False]), _shares(said[True])]


def _shares(said: list[tuple[bool, bool, bool]]) -> str:
    held, denied, found = (100 * float(np.mean(column)) for column in zip(*said, strict=True))
    return f"{held:.0f} ({denied:.0f}, {found:.0f})"


def main() -> None:
    """Writes the table."""
    lines = []
    for differ in DIFFER:
        for seeds in SEEDS:
            line = [str(differ), str(seeds)]
            for gain in GAINS:
                line += _size(differ, seeds, gain)
            lines.append(line)
            print(*line, flush=True)
    columns = [f"{what} of {100 * gain:.0f} points" for gain in GAINS for what in ("gain", "difference")]
    document = Path(__file__).parents[2] / "docs" / "SIMULATIONS.md"
    replace_between(document, "gains", table(["seeds differ", "seeds", *columns], lines))


if __name__ == "__main__":
    main()
