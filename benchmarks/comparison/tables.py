"""From the runs to the tables: medians with their extremes, ratios beside what unique work alone would allow."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.comparison.read_run import KINDS
from benchmarks.comparison.utilisation import utilisation
from benchmarks.comparison.workloads import SMALLEST, WORKLOADS, Workload, grid

Facts = dict[str, Any]
HEAD = (
    "| arm | runs | wall s | CPU s | wall / B3 | CPU / B3 | work / B3 | steps | evaluations | training | evaluation "
    "| rest | to first step s | tokens/s | memory MB | disk MB |"
)
REFERENCE = ("B0", "B1", "B2", "B3")
"""Whose answers the others are compared with: the first of these that computed a cell."""


def runs_of(results: Path, workload: Workload) -> dict[str, list[Facts]]:
    """Arm → its finished runs, in the workload's order of the arms."""
    found = [
        json.loads(path.read_text()) for path in sorted((results / "runs" / workload.name).glob("*.json"))
    ]
    return {
        arm: mine
        for arm in (*workload.arms, "B3")
        if (mine := [facts for facts in found if facts["arm"] == arm])
    }


def workloads_in(results: Path) -> list[Workload]:
    """The workloads that have a finished run."""
    known = [SMALLEST, *WORKLOADS.values()]
    return [workload for workload in known if (results / "runs" / workload.name).is_dir()]


def share_of(workload: Workload, facts: Facts) -> float:
    """All cells over those that the run computed."""
    return len(grid(workload.fields)) / len(facts["cells"])


def wall(workload: Workload, facts: Facts) -> float:
    """Wall seconds; of a sample those of all cells, its start counted once."""
    start, whole = float(facts["seconds_to_first_step"]), float(facts["wall_seconds"])
    return start + (whole - start) * share_of(workload, facts)


def cost_of(measured: Facts, facts: Facts, times: float = 1.0) -> float:
    """Seconds that a run's steps and evaluations take if each takes as long as in another run, the measured one."""
    total = 0.0
    for kind in KINDS:
        one = measured["train"][kind]
        if one["steps"]:
            total += facts["train"][kind]["steps"] * one["seconds"] / one["steps"]
    total += facts["evaluations"] * measured["evaluation_seconds"] / measured["evaluations"]
    return float(total * times)


def steps_of(facts: Facts) -> int:
    """Optimiser steps executed."""
    return sum(facts["train"][kind]["steps"] for kind in KINDS)


def workload_table(workload: Workload, runs: dict[str, list[Facts]], slots: int) -> str:
    """One workload's table and what is to be said with it."""
    ours = runs.get("B3")
    lines = [f"### {workload.title}", "", HEAD, "|" + "---|" * HEAD.count(" | ") + "---|"]
    for arm, mine in runs.items():
        lines.append(_row(workload, arm, mine, ours, runs, slots))
    notes = [
        f"{arm} computed {len(mine[0]['cells'])} of {len(grid(workload.fields))} cells, a stratified sample fixed "
        "beforehand; its times, steps and evaluations are **extrapolated**, the start counted once."
        for arm, mine in runs.items()
        if share_of(workload, mine[0]) > 1
    ]
    if ours:
        for arm, target in workload.targets.items():
            if arm in runs:
                ratio = _middle(runs[arm], lambda f: wall(workload, f)) / _middle(
                    ours, lambda f: wall(workload, f)
                )
                verdict = "reached" if ratio >= target else "**missed**"
                notes.append(f"{arm}/B3 is {ratio:.2f}; aimed at {target:g} or more: {verdict}.")
    if ours and ours[0]["peak"]:
        notes += [_utilised(workload, arm, mine, ours[0]) for arm, mine in runs.items()]
    compared = sum(len(facts["cells"]) for mine in runs.values() for facts in mine)
    notes.append(
        f"{compared:,} cells of all runs compared: " + ("; ".join(unequal(runs)) or "equal to the bit.")
    )
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def _row(
    workload: Workload,
    arm: str,
    mine: list[Facts],
    ours: list[Facts] | None,
    runs: dict[str, list[Facts]],
    slots: int,
) -> str:
    scale = share_of(workload, mine[0])

    def seconds(pick: Callable[[Facts], float], places: int = 0) -> str:
        values = sorted(pick(facts) for facts in mine)
        middle = f"{median(values):,.{places}f}"
        return middle if len(values) == 1 else f"{middle} ({values[0]:,.{places}f}–{values[-1]:,.{places}f})"

    def part(pick: Callable[[Facts], float]) -> str:
        return f"{100 * _middle(mine, lambda f: pick(f) / (slots * f['wall_seconds'])):.0f}%"

    ratio = busy = allowed = tokens = "–"
    if ours:
        ratio = (
            f"{_middle(mine, lambda f: wall(workload, f)) / _middle(ours, lambda f: wall(workload, f)):.2f}"
        )
        busy = f"{scale * _middle(mine, _cpu) / _middle(ours, _cpu):.2f}"
        measured = (runs.get("B1") or runs.get("B2") or ours)[0]
        allowed = f"{cost_of(measured, mine[0], scale) / cost_of(measured, ours[0]):.2f}"
        unique = sum(ours[0]["train"][kind]["tokens"] for kind in KINDS)
        tokens = f"{_middle(mine, lambda f: unique / wall(workload, f)):,.0f}"
    trained: Callable[[Facts], float] = lambda f: sum(f["train"][kind]["seconds"] for kind in KINDS)  # noqa: E731
    cells = [
        arm,
        str(len(mine)),
        seconds(lambda f: wall(workload, f), 1),
        seconds(lambda f: f["cpu_seconds"] * scale),
        ratio,
        busy,
        allowed,
        f"{steps_of(mine[0]) * scale:,.0f}",
        f"{mine[0]['evaluations'] * scale:,.0f}",
        part(trained),
        part(lambda f: f["evaluation_seconds"]),
        part(lambda f: slots * f["wall_seconds"] - trained(f) - f["evaluation_seconds"]),
        seconds(lambda f: f["seconds_to_first_step"], 1),
        tokens,
        seconds(lambda f: f["peak_bytes"] / 1e6),
        f"{mine[0]['disk_bytes'] / 1e6:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _utilised(workload: Workload, arm: str, mine: list[Facts], ours: Facts) -> str:
    tokens = {kind: ours["train"][kind]["tokens"] for kind in KINDS}
    used = _middle(
        mine,
        lambda f: utilisation(ours["weights"], tokens, ours["adapters"], wall(workload, f), ours["peak"]),
    )
    return f"{arm}: model FLOP utilisation over the unique steps {100 * used:.2g}%."


def _cpu(facts: Facts) -> float:
    return float(facts["cpu_seconds"])


def _middle(runs: Sequence[Facts], pick: Callable[[Facts], float]) -> float:
    return median(pick(facts) for facts in runs)


def unequal(runs: dict[str, list[Facts]]) -> list[str]:
    """Arm by arm, how many cells differ from the first arm's that computed them."""
    reference: dict[str, str] = {}
    for arm in REFERENCE:
        for facts in runs.get(arm, [])[:1]:
            reference = {**facts["cells"], **reference}
    found = []
    for arm, mine in runs.items():
        for facts in mine:
            wrong = [name for name, digest in facts["cells"].items() if reference.get(name, digest) != digest]
            if wrong:
                found.append(
                    f"{arm} (run {facts['repeat']}) differs in {len(wrong)} of {len(facts['cells'])}"
                )
    return found


def differing(results: Path) -> list[str]:
    """What must not be: cells of the arms that differ. Rungs that change the batch or the threads may."""
    return [
        f"{workload.name}: {line}"
        for workload in workloads_in(results)
        for line in unequal(
            {arm: runs for arm, runs in runs_of(results, workload).items() if arm in REFERENCE}
        )
    ]


def tables(results: Path) -> str:
    """All workloads that were run, and the machine."""
    machine = json.loads((results / "machine.json").read_text())
    versions = machine["versions"]
    about = (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, "
        f"accelerator: {machine['accelerator'] or 'none, so GPU seconds and FLOP utilisation are not measured'}. "
        f"Python {machine['python']}, torch {versions['torch']}, transformers {versions['transformers']}, "
        f"Ray {versions['ray']}."
    )
    parts = [
        workload_table(workload, runs_of(results, workload), machine["cores"])
        for workload in workloads_in(results)
    ]
    return "\n\n".join([about, *parts])
