"""How often a verdict's interval holds a gain above a control at 0, where seeds lie near 0 or 100%.

    python -m benchmarks.coverage.gains

Nothing was left before relearning and the control answers nothing, so a gain is a rate; the interval that is shown is
adjusted for all statements of its table, as a report does. It writes a table of docs/STATISTICS.md, in some minutes.
"""

from pathlib import Path

import numpy as np
from scipy.special import expit

from analysis.measures.recovery.statements import comes_back, comes_back_at_best, corpora
from analysis.measures.recovery.verdicts import DOES_NOT, judged
from benchmarks.coverage.headline import World, simulated_rows
from benchmarks.coverage.tables import table
from benchmarks.coverage.worlds import middle_of
from benchmarks.marked_section import replace_between

DIFFER, SEEDS, GAINS, PROBES = (0.5, 1.3, 2.5, 4.4), (3, 5), (0.12, 0.15, 0.3), 100
STUDIES = 100
NOTHING = 1e-9


def _size(differ: float, seeds: int, gain: float) -> tuple[float, float]:
    """Shares of intervals that hold the gain of these queries and of verdicts that deny one."""
    held, denied = [], []
    spread = np.random.default_rng(1).normal(size=2_000)
    for number in range(STUDIES):
        key = [23, seeds, round(10 * differ), round(100 * gain), number]
        probe = np.random.default_rng(key).normal(size=PROBES)  # as simulated_rows draws them first
        middle = middle_of(gain, float(np.hypot(differ, 1)))
        true = float(np.mean([expit(middle + differ * spread + each).mean() for each in probe]))
        world = World("a gain above nothing", NOTHING, gain, NOTHING)
        rows = simulated_rows(np.random.default_rng(key), world, seeds, PROBES, differ)
        found = judged([each for make in (comes_back, comes_back_at_best, corpora) for each in make(rows)])
        mine = found["statement"].str.endswith("brings back more than it teaches the control")
        for row in found[mine & found["low"].notna()].to_dict("records"):
            held.append(row["low"] <= true <= row["high"])
            denied.append(row["verdict"] == DOES_NOT)
    return float(np.mean(held)), float(np.mean(denied))


def main() -> None:
    """Writes the table."""
    lines = []
    for differ in DIFFER:
        for seeds in SEEDS:
            line = [str(differ), str(seeds)]
            for gain in GAINS:
                held, denied = _size(differ, seeds, gain)
                error = (held * (1 - held) / STUDIES) ** 0.5  # the three corpora of a study go together
                line.append(f"{100 * held:.1f} ± {100 * error:.1f} ({100 * denied:.1f})")
            lines.append(line)
            print(*line, flush=True)
    head = ["seeds differ", "seeds", *(f"true gain {100 * gain:.0f} points" for gain in GAINS)]
    replace_between(Path(__file__).parents[2] / "docs" / "STATISTICS.md", "gains", table(head, lines))


if __name__ == "__main__":
    main()
