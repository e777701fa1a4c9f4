"""How far the answers of neighbouring checkpoints agree: what resuming a decoding at the first difference could save.

    python -m benchmarks.agreement STUDY…

Greedy decoding of a checkpoint could begin with the answer of the one before it: one forward pass over the answer
shows where the two part, and decoding goes on from there (exact, since greedy decoding has no chance in it). What that
saves is bounded by the agreed prefix. Read off the stored completions, in words; a batch decodes until its longest
answer ends, so steps of a batch are saved only where *every* answer in it agrees that far: the least agreed prefix of
a checkpoint is what one batch of all its probes would save.
"""

import sys
from pathlib import Path
from statistics import fmean

import pandas as pd

import analysis
from study.results.schema import COORDINATES

TRAJECTORY = [name for name in COORDINATES if name != "relearn_steps"]


def agreed_words(one: str, other: str) -> int:
    """The length of the common beginning, in words."""
    first, second = one.split(), other.split()
    shorter = min(len(first), len(second))
    return next((place for place in range(shorter) if first[place] != second[place]), shorter)


def agreement(probes: pd.DataFrame) -> pd.DataFrame:
    """A row per pair of neighbouring checkpoints of a trajectory.

    Returns:
        ``before``, ``step``; ``agreed``, the mean agreed prefix as a share of the answers' words; ``whole``, the
        share of answers that are the same; ``batch``, the least agreed prefix of the answers that differ, over the
        longest answer.
    """
    made = []
    for _, along in probes.groupby(TRAJECTORY, observed=True):
        wide = along.pivot_table(
            index=["split", "probe"], columns="relearn_steps", values="completion", aggfunc="first"
        )
        wide = wide.dropna()
        for before, step in zip(wide.columns, wide.columns[1:], strict=False):
            pairs = list(zip(wide[before], wide[step], strict=True))
            lengths = [max(1, len(now.split())) for _, now in pairs]
            agreed = [agreed_words(*pair) for pair in pairs]
            differ = [count for count, (old, new) in zip(agreed, pairs, strict=True) if old != new]
            made.append(
                {
                    "before": before,
                    "step": step,
                    "agreed": fmean(count / length for count, length in zip(agreed, lengths, strict=True)),
                    "whole": fmean(old == new for old, new in pairs),
                    "batch": min(differ) / max(lengths) if differ else 1.0,
                }
            )
    return pd.DataFrame(made)


def main(folders: list[str]) -> None:
    """A table for each study, in Markdown: means over its trajectories."""
    for folder in folders:
        print(f"{Path(folder).name}: means over trajectories, of the words of the answers\n")
        print("| from step | to step | trajectories | agreed | answers the same | saved in one batch |")
        print("|---|---|---|---|---|---|")
        found = agreement(analysis.load(folder).probes)
        for (before, step), rows in found.groupby(["before", "step"]):
            shares = " | ".join(f"{100 * rows[name].mean():.0f}%" for name in ("agreed", "whole", "batch"))
            print(f"| {before} | {step} | {len(rows)} | {shares} |")
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
