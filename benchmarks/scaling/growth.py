"""How a study's wall time grows with its cells, and with the step counts of a trajectory; drawn.

    python -m benchmarks.scaling.growth FOLDER [--write]

72 to 600 cells of the names grid, by corpora, then depths and repetition counts; and one grid whose trajectories are
looked at 2, 4, 7, 13 and 21 times on the same way. What was run already lies in FOLDER and is not run again.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.arms.base_model import base_folder
from benchmarks.comparison.runs import Run, take
from benchmarks.comparison.tables import steps_of
from benchmarks.comparison.workloads import CORPORA, WORKLOADS, Workload, grid
from benchmarks.marked_section import replace_between

ROOT = Path(__file__).resolve().parents[2]
LARGEST = {"corpus": CORPORA, "depth": [6, 7, 8, 10, 12], "repetitions": [7, 5, 3, 2, 1]}
CELLS: list[dict[str, Any]] = [{"corpus": CORPORA[:1]}, {"corpus": CORPORA[:2]}, {"corpus": CORPORA}, LARGEST]
LOOKS = [list(range(0, 61, 60 // steps)) for steps in (1, 3, 6, 12, 20)]


def workload(name: str, changes: dict[str, Any]) -> Workload:
    """Workload (a) with other axes, for this project alone."""
    whole = WORKLOADS["a"]
    return replace(whole, name=name, title=name, fields={**whole.fields, **changes}, arms=("B3",))


def measured(folder: Path, workloads: list[Workload], model: Path) -> list[dict[str, Any]]:
    """The facts of one run of each, printed as they come."""
    found = []
    for each in workloads:
        facts = take(Run(each, "B3", 1), folder, model, per_device=4)
        found.append({**facts, "grid": len(grid(each.fields))})
        print(
            f"{each.name}: {facts['wall_seconds']:.1f} s wall, {facts['cpu_seconds']:.1f} s CPU", flush=True
        )
    return found


def table(title: str, names: list[str], runs: list[dict[str, Any]]) -> str:
    """One row a run."""
    lines = [
        f"| {title} | cells | steps | evaluations | wall s | CPU s | CPU s of training | of evaluation |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, facts in zip(names, runs, strict=True):
        trained = sum(taken["seconds"] for taken in facts["train"].values())
        lines.append(
            f"| {name} | {facts['grid']} | {steps_of(facts):,} | {facts['evaluations']} | {facts['wall_seconds']:.0f} "
            f"| {facts['cpu_seconds']:.0f} | {trained:.0f} | {facts['evaluation_seconds']:.0f} |"
        )
    return "\n".join(lines)


def draw(cells: list[dict[str, Any]], looks: list[dict[str, Any]], path: Path) -> None:
    """Two curves: wall and CPU seconds against cells, and against step counts."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for axes, runs, x, what in (
        (left, cells, [facts["grid"] for facts in cells], "cells"),
        (right, looks, [len(values) for values in LOOKS[: len(looks)]], "step counts on each trajectory"),
    ):
        axes.plot(x, [facts["wall_seconds"] for facts in runs], "o-", color="#1b6ca8", label="wall")
        axes.plot(
            x, [facts["cpu_seconds"] for facts in runs], "s--", color="#c8553d", label="CPU, all processes"
        )
        axes.set_xlabel(what)
        axes.set_ylabel("seconds")
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    """See the module's text."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    model = base_folder(WORKLOADS["a"], folder, None)
    cells = measured(folder, [workload(f"growth-{index}", each) for index, each in enumerate(CELLS)], model)
    few: dict[str, Any] = {"repetitions": [7], "depth": [6, 8, 10, 12]}
    looks = measured(
        folder, [workload(f"looks-{len(each)}", {**few, "relearn_steps": each}) for each in LOOKS], model
    )
    text = (
        table("axes", ["1 corpus", "2 corpora", "4 corpora", "and 5 depths, 5 repetition counts"], cells)
        + "\n\n"
        + table("step counts", [str(len(each)) for each in LOOKS], looks)
    )
    print(text)
    if "--write" in sys.argv:
        replace_between(ROOT / "docs" / "PERFORMANCE.md", "growth", text)
        draw(cells, looks, ROOT / "docs" / "performance" / "growth.png")


if __name__ == "__main__":
    main()
