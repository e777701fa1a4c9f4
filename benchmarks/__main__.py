"""``python -m benchmarks``: every arm on the same cells, cold, in random order, and the table of what they took.

    python -m benchmarks --results FOLDER [--workloads a,d] [--repeats 3] [--arms B0,B3] [--model FOLDER] [--write]
    python -m benchmarks --smallest                  the same at its smallest size

A finished run lies in ``FOLDER/runs`` and is not repeated. ``--model`` is the pretrained folder of workload (c),
which is left out without it. The cells of all arms are compared, and one that differs ends this with 1.
"""

import argparse
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.arms.base_model import base_folder
from benchmarks.comparison.runs import Run, RunFailedError, take
from benchmarks.comparison.tables import differing, tables
from benchmarks.comparison.workloads import SHARE_NOTHING, SMALLEST, WORKLOADS, Workload
from benchmarks.machine import described, gpus
from benchmarks.marked_section import replace_between

ROOT = Path(__file__).resolve().parents[1]
NEEDS_MODEL = "c"


def schedule(workload: Workload, arms: list[str] | None, repeats: int, seed: int) -> list[Run]:
    """All runs of a workload: each repeat is every arm once, in an order drawn from the seed."""
    draw = random.Random(f"{seed} {workload.name}")
    runs = []
    for repeat in range(1, repeats + 1):
        order = [arm for arm in workload.arms if arms is None or arm in arms]
        draw.shuffle(order)
        runs += [Run(workload, arm, repeat) for arm in order if repeat <= workload.repeats.get(arm, repeat)]
    return runs


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Beside plain Ray Tune.")
    parser.add_argument("--smallest", action="store_true", help="one tiny workload, once, as a test")
    parser.add_argument("--workloads", default="a,d,b,c,rungs", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--arms", help="only these, e.g. B0,B3")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--sample", type=int, help="so many cells, stratified, in the arms that share nothing; extrapolated"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order of the arms")
    parser.add_argument(
        "--per-device", type=int, default=4, help="trials that share a GPU, where there is one"
    )
    parser.add_argument("--model", type=Path, help="the pretrained folder of workload (c)")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "benchmarks")
    parser.add_argument("--write", action="store_true", help="put the table into docs/PERFORMANCE.md")
    return parser.parse_args()


def main() -> None:
    """See the module's text."""
    options = arguments()
    workloads = [SMALLEST] if options.smallest else [WORKLOADS[name] for name in options.workloads.split(",")]
    arms = options.arms.split(",") if options.arms else None
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "machine.json").write_text(json.dumps(described(), indent=1))
    for whole in workloads:
        workload = whole
        if workload.name == NEEDS_MODEL and options.model is None:
            print(f"{workload.title}: left out, name a model's folder with --model")
            continue
        given = options.model if workload.name == NEEDS_MODEL else None
        model = base_folder(workload, options.results, given)
        if options.sample:
            sampled = dict.fromkeys(SHARE_NOTHING, options.sample)
            workload = replace(workload, sampled={**sampled, **workload.sampled})
        for one in schedule(workload, arms, 1 if options.smallest else options.repeats, options.seed):
            try:
                facts = take(one, options.results, model, options.per_device)
            except RunFailedError as error:
                sys.exit(str(error))
            print(
                f"{workload.name}  {one.arm}  {one.repeat}:  {facts['wall_seconds']:.1f} s wall, "
                f"{facts['cpu_seconds']:.1f} s CPU, {len(facts['cells'])} cells",
                flush=True,
            )
    text = tables(options.results)
    print(text)
    if options.write:
        replace_between(ROOT / "docs" / "PERFORMANCE.md", "arms", text)
    wrong = differing(options.results)
    if wrong and not gpus():
        sys.exit("\n".join(wrong))
    for line in wrong:  # what a GPU promises is in docs/GPU.md
        print(line)


if __name__ == "__main__":
    main()
