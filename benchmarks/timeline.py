"""What ran when on which slot, from a study's log: a drawn timeline, and whether a slot idled while a stage was ready.

python -m benchmarks.timeline STUDY PICTURE.png
"""

import itertools
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from cluster.study_folder.event_log import read_events
from cluster.study_folder.study_folder import StudyFolder
from search_spaces.loading import validate
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan

COLOURS = {
    "base": "#777777",
    "finetune": "#1b6ca8",
    "reinforce": "#8d6cab",
    "unlearn": "#c8553d",
    "relearn": "#5a9e6f",
    "pretrained": "#bbbbbb",
    "embedded": "#bbbbbb",
}


@dataclass(frozen=True)
class Bar:
    """One finished stage: which worker, and seconds since the first stage began."""

    stage: str
    kind: str
    worker: int
    began: float
    ended: float


def bars_of(folder: Path) -> list[Bar]:
    """Every stage that was started and finished, in the order of their beginnings."""
    begun: dict[str, tuple[str, int, float]] = {}
    found = []
    for event in read_events(folder / "log"):
        at = datetime.fromisoformat(event["time"]).timestamp()
        if event["event"] == "stage started":
            begun[event["stage"]] = (event["kind"], int(event["pid"]), at)
        elif event["event"] == "stage finished" and event["stage"] in begun:
            kind, worker, began = begun[event["stage"]]
            found.append(Bar(event["stage"], kind, worker, began, at))
    first = min(bar.began for bar in found)
    return sorted(
        (Bar(b.stage, b.kind, b.worker, b.began - first, b.ended - first) for b in found),
        key=lambda bar: bar.began,
    )


@dataclass(frozen=True)
class Occupation:
    """Seconds times slots: busy, idle with nothing ready, and idle although a stage was ready."""

    busy: float
    nothing_ready: float
    although_ready: float


def occupation(bars: list[Bar], plan: Plan) -> Occupation:
    """How the slots spent the time between the first beginning and the last end.

    A stage is ready from the end of its last parent to its own beginning.
    """
    ended = {bar.stage: bar.ended for bar in bars}
    workers = {bar.worker for bar in bars}
    ready = {
        bar.stage: max((ended.get(p.of.key, 0.0) for p in plan.stages[bar.stage].parents), default=0.0)
        for bar in bars
    }
    moments = sorted({0.0, *ended.values(), *(bar.began for bar in bars), *ready.values()})
    busy = nothing = although = 0.0
    for start, end in itertools.pairwise(moments):
        running = sum(bar.began <= start and bar.ended >= end for bar in bars)
        waiting = sum(ready[bar.stage] <= start and bar.began >= end for bar in bars)
        idle = len(workers) - running
        wasted = min(idle, waiting)
        busy += running * (end - start)
        although += wasted * (end - start)
        nothing += (idle - wasted) * (end - start)
    return Occupation(busy, nothing, although)


def draw(bars: list[Bar], path: Path) -> None:
    """A row for each worker."""
    workers = list(dict.fromkeys(bar.worker for bar in bars))
    figure = Figure(figsize=(10, 1.2 + 0.5 * len(workers)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for bar in bars:
        axes.barh(
            workers.index(bar.worker),
            bar.ended - bar.began,
            left=bar.began,
            height=0.8,
            color=COLOURS.get(bar.kind, "black"),
            edgecolor="white",
            linewidth=0.4,
        )
    axes.set_yticks(range(len(workers)), [f"slot {index + 1}" for index in range(len(workers))])
    axes.set_xlabel("seconds since the first stage began")
    axes.spines[["top", "right"]].set_visible(False)
    kinds = dict.fromkeys(bar.kind for bar in bars)
    axes.legend(
        handles=[Patch(color=COLOURS.get(kind, "black"), label=kind) for kind in kinds],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.35),
        ncols=len(kinds),
        frameon=False,
    )
    figure.savefig(path, dpi=150)


def main() -> None:
    """See the module's text."""
    folder, path = Path(sys.argv[1]), Path(sys.argv[2])
    recorded = StudyFolder(folder).replannable()
    plan = make_plan(
        read_materials(validate(recorded.spec, place=str(folder))), lambda name: recorded.models[name]
    )
    bars = bars_of(folder)
    draw(bars, path)
    found = occupation(bars, plan)
    whole = found.busy + found.nothing_ready + found.although_ready
    print(
        f"{len(bars)} stages on {len({bar.worker for bar in bars})} slots in {max(bar.ended for bar in bars):.1f} s: "
        f"busy {100 * found.busy / whole:.1f}% of the slots' time, idle with nothing ready "
        f"{100 * found.nothing_ready / whole:.1f}%, idle although a stage was ready "
        f"{100 * found.although_ready / whole:.1f}%"
    )


if __name__ == "__main__":
    main()
