"""The tables of docs/RESULTS.md: a line for each grid and arm, over the seeds that were run."""

from collections.abc import Iterator
from itertools import groupby
from statistics import fmean

from benchmarks.search.runs import Run

ATTACK_HEAD = (
    "| grid, trajectories | chosen by | seeds | whole front covered | of the front, covered | least | "
    "named that do not reach 50% | s per trajectory |"
)
CONTOUR_HEAD = (
    "| grid, trajectories | chosen by | seeds | all within one step | contours within one step | least | "
    "greatest error, steps | in the 95% band | s per trajectory |"
)


def tables(runs: list[Run]) -> Iterator[str]:
    """The lines of both tables."""
    for head, kind in ((CONTOUR_HEAD, True), (ATTACK_HEAD, False)):
        yield head
        yield "|" + "---|" * (head.count("|") - 1)
        chosen = [run for run in runs if (run.band is not None) == kind]
        by_arm = sorted(chosen, key=lambda run: (run.grid, run.arm, run.seed))
        for (grid, arm), group in groupby(by_arm, key=lambda run: (run.grid, run.arm)):
            yield _line(grid, arm, list(group))
        yield ""


def _line(grid: str, arm: str, runs: list[Run]) -> str:
    whole = sum(run.share == 1 for run in runs)
    cells = [
        f"{grid}, {max(run.trajectories for run in runs)}",
        arm,
        str(len(runs)),
        f"{whole} of {len(runs)}",
        f"{100 * fmean(run.share for run in runs):.1f}%",
        f"{100 * min(run.share for run in runs):.0f}%",
    ]
    bands = [run.band for run in runs if run.band is not None]
    if bands:
        cells += [f"{max(run.wrong for run in runs):.2f}", f"{100 * fmean(bands):.0f}%"]
    else:
        cells.append(f"{100 * fmean(run.wrong for run in runs):.0f}%")
    seconds = fmean(run.seconds / run.trajectories for run in runs)
    return f"| {' | '.join([*cells, f'{seconds:.2g}'])} |"
