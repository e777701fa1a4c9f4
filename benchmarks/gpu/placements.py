"""An adapter trained and asked on one card, over two, and with the layers in main memory: time, memory and bits."""

import time
from typing import Any

import torch

from benchmarks.gpu.setting import Setting, nobody, synchronised
from study.evaluation.answering.generation import answer_probes
from study.models.devices.placement import Placement
from study.models.hardware import GPU, gpu_count
from study.models.resident import Resident
from study.training.loop import train

GIBIBYTE = 2**30
ONE, TWO, KEPT = "one card", "two cards", "layers in main memory"


def placements(setting: Setting) -> list[dict[str, Any]]:
    """A row for each; those after the first say whether weights and answers have the first one's bits."""
    device = setting.device
    ways = {ONE: Placement.on(device), KEPT: Placement((device,), offload=True)}
    if not setting.on_gpu:
        ways[TWO] = Placement((device, device))
    elif gpu_count() >= 2:
        ways[TWO] = Placement((torch.device(GPU, 0), torch.device(GPU, 1)))
    rows: list[dict[str, Any]] = []
    first = None
    for way, placement in ways.items():
        row, made = _measured(setting, setting.resident(placement=placement))
        first = first or made
        rows.append({"placement": way, **row, "bits equal": _equal(first, made)})
    if TWO not in ways:
        rows.append({"placement": TWO, "not measured": "one card"})
    return rows


def _measured(setting: Setting, resident: Resident) -> tuple[dict[str, Any], Any]:
    """Milliseconds of a step, seconds of an evaluation, peaks of each card; and the weights and answers."""
    steps = 2 if setting.small else 10
    cards = [each for each in resident.placement.devices if each.type != "cpu"]
    node, probes = setting.trajectory("relearn"), setting.plan.cells[0].evaluation.probes
    train(node, resident, 1, (), nobody, 32, activation_checkpointing=True)  # warm
    resident.reset()
    for card in cards:
        torch.cuda.reset_peak_memory_stats(card)
    synchronised(setting.device)
    began = time.perf_counter()
    train(node, resident, steps, (), nobody, 32, activation_checkpointing=True)
    synchronised(setting.device)
    trained = time.perf_counter()
    answers = [each.row() for each in answer_probes(resident, probes, 4 if setting.small else 40, 64)]
    return {
        "ms": 1e3 * (trained - began) / steps,
        "evaluation_seconds": time.perf_counter() - trained,
        "peak_gib": [torch.cuda.max_memory_allocated(card) / GIBIBYTE for card in cards],
    }, (resident.weights(), answers)


def _equal(one: Any, other: Any) -> bool:
    return one[1] == other[1] and all(torch.equal(one[0][name], other[0][name]) for name in one[0])
