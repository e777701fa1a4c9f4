"""Where one stage's time goes: training steps and evaluations of the names study's model, by torch's operators.

    python -m benchmarks.stage_profile [MODEL_FOLDER]

In this process, on one thread, without Ray and without a store: 40 steps of finetuning, 80 of relearning, an
evaluation of all probes, and how far the weights are from stored ones, which is measured at every evaluation; each
warmed up before it is looked at. Without a folder the model has the embedded one's shape and random weights: what a
step or an evaluation takes does not depend on what it says. The milliseconds are of the processor, so that a busy
machine does not count; the profiler's shares are of the clock, and want a quiet one. Prints the operators that take
most time themselves, what is left for Python between them, and how much the matrix products compute a second.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.shapes import SHAPES
from study.evaluation.generation import ask
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.planning.planner import make_plan
from study.planning.stages import Trajectory
from study.spec import EMBEDDED
from study.training.loop import train
from study.training.training_state import Progress

SHOWN = 12
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm")
"""Operators whose multiplications torch counts."""


def _nobody(step: int, progress: Progress) -> None:
    """Nobody looks on the way."""


def show(what: str, times: int, part: Callable[[], None]) -> None:
    """What one takes; then the operators' shares of it, under the profiler."""
    part()
    began = time.process_time()
    part()
    seconds = time.process_time() - began
    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as seen:
        began = time.perf_counter()
        part()
        profiled = time.perf_counter() - began
    print(f"\n{what}: {1000 * seconds / times:.1f} ms of CPU time each; shares under torch's profiler:")
    rows = sorted(seen.key_averages(), key=lambda row: -row.self_cpu_time_total)
    inside = sum(row.self_cpu_time_total for row in rows) / 1e6
    for row in rows[:SHOWN]:
        own = row.self_cpu_time_total / 1e6
        rate = f", {row.flops / own / 1e9:.0f} GFLOP/s" if row.flops and row.key in PRODUCTS else ""
        print(f"  {100 * own / profiled:5.1f}%  {row.count / times:8.1f} calls each  {row.key}{rate}")
    print(
        f"  {100 * (1 - inside / profiled):5.1f}%  outside of operators: Python, and what the profiler costs"
    )


def main() -> None:
    """See the module's text."""
    torch.set_num_threads(1)
    given = sys.argv[1] if len(sys.argv) > 1 else EMBEDDED
    plan = make_plan(SHAPES["a"].spec(given), fingerprint)
    nodes = {stage.kind: stage.node for stage in plan.stages.values()}
    finetune, relearn = nodes["finetune"], nodes["relearn"]
    if not (isinstance(finetune, Trajectory) and isinstance(relearn, Trajectory)):
        raise TypeError("the names study finetunes and relearns")
    resident = Resident(finetune.source)
    cell = plan.cells[-1]
    execution = plan.spec.execution

    def steps(node: Trajectory, count: int) -> Callable[[], None]:
        return lambda: (train(node, resident, count, (), _nobody, execution.micro_batch), None)[1]

    def evaluation() -> None:
        ask(
            resident,
            cell.evaluation.probes,
            plan.spec.generation.max_new_tokens,
            execution.evaluation_batch,
        )

    show("a step of finetuning", 40, steps(finetune, 40))
    show("a step of relearning", 80, steps(relearn, 80))
    show("an evaluation", 1, evaluation)
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / "weights.safetensors"
        resident.save(stored)
        show("a distance to stored weights", 1, lambda: (resident.distance(stored), None)[1])


if __name__ == "__main__":
    main()
