"""What unique work alone allows: steps and evaluations of every arm, counted without running any, and timed.

    python -m benchmarks.comparison.unique_work [FINETUNE UNLEARN RELEARN EVALUATION]

The times are milliseconds of one step of each kind and of one evaluation, as B1's runs of workload (a) took them:
seconds and counts stand in ``FOLDER/runs/a/B1*.json``. Start-up, Ray and storage are left out, so these are the ratios
that the arms would have if they did nothing but compute.
"""

import sys
from collections.abc import Mapping

from benchmarks.comparison.workloads import WORKLOADS, Cell, Workload, grid
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.spec import EMBEDDED

MILLISECONDS = (45.0, 20.0, 10.5, 260.0)
"""As docs/PERFORMANCE.md has them."""
Work = Mapping[str, int]


def alone(cells: list[Cell], finetuning: int) -> Work:
    """B0 and B1: every cell from the start."""
    return {
        "finetune": finetuning * len(cells),
        "unlearn": sum(cell["depth"] for cell in cells),
        "relearn": sum(cell["relearn_steps"] for cell in cells),
        "evaluations": len(cells),
    }


def prefixes(cells: list[Cell], finetuning: int) -> Work:
    """B2: each finetuned and each unlearned model once, every relearning from its unlearned model."""
    finetuned = {(cell["repetitions"], cell["seed"]) for cell in cells}
    unlearned = {(cell["repetitions"], cell["seed"], cell["depth"]) for cell in cells}
    return {
        **alone(cells, finetuning),
        "finetune": finetuning * len(finetuned),
        "unlearn": sum(depth for _, _, depth in unlearned),
    }


def shared(workload: Workload) -> Work:
    """B3: what the plan says, with the reference models' evaluations. The pretrained model is one for all seeds, made
    beforehand and asked once.
    """
    stages = make_plan(read_materials(workload.spec(EMBEDDED)), str).stages.values()
    kinds = ("finetune", "unlearn", "relearn")
    steps = {kind: sum(stage.last_step for stage in stages if stage.kind == kind) for kind in kinds}
    return {**steps, "evaluations": 1 + sum(len(stage.evaluate) for stage in stages if stage.kind in kinds)}


def arms(workload: Workload) -> dict[str, Work]:
    """The work of each arm on a whole workload."""
    cells, finetuning = grid(workload.fields), int(workload.fields["finetune"]["steps"])
    return {
        "B0, B1": alone(cells, finetuning),
        "B2": prefixes(cells, finetuning),
        "B3": shared(workload),
    }


def seconds(work: Work, milliseconds: tuple[float, ...]) -> float:
    """At so many milliseconds for each."""
    kinds = ("finetune", "unlearn", "relearn", "evaluations")
    return sum(work[kind] * each for kind, each in zip(kinds, milliseconds, strict=True)) / 1000


def main() -> None:
    """See the module's text."""
    milliseconds = tuple(map(float, sys.argv[1:])) or MILLISECONDS
    print(
        "| workload | arm | finetune | unlearn | relearn | evaluations | seconds | over B3 | without evaluating |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in ("a", "b", "d"):
        found = arms(WORKLOADS[name])
        training = (*milliseconds[:3], 0.0)
        for arm, work in found.items():
            ratios = [seconds(work, each) / seconds(found["B3"], each) for each in (milliseconds, training)]
            print(
                f"| ({name}) | {arm} | {work['finetune']:,} | {work['unlearn']:,} | {work['relearn']:,} "
                f"| {work['evaluations']} | {seconds(work, milliseconds):,.0f} | {ratios[0]:.2f} | {ratios[1]:.2f} |"
            )


if __name__ == "__main__":
    main()
