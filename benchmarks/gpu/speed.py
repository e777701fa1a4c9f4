"""What the card is; what a step takes on it, and how much of that it works; what an evaluation takes."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import torch

from benchmarks.gpu.setting import Setting, nobody, synchronised
from study.evaluation.answering import generation
from study.evaluation.answering.cast_once import cast_once
from study.models.hardware import card
from study.performing.provenance import environment
from study.text.examples import ProbeSet
from study.training.loop import train

PROBES = 200
PROBES_ON_A_CPU = 16


def facts(setting: Setting) -> dict[str, Any]:
    """The card, and its ceilings on random data: bfloat16 products, copies, and the way to it."""
    found: dict[str, Any] = {"versions": environment()["packages"]}
    if not setting.on_gpu:
        return found
    found |= card()
    one, other = (torch.randn(8192, 8192, device=setting.device, dtype=torch.bfloat16) for _ in range(2))
    found["bf16_tflops"] = 2 * 8192**3 / _seconds(setting, lambda: one @ other) / 1e12
    there = torch.randn(2**29, device=setting.device)
    copy = torch.empty_like(there)
    found["copy_tb_s"] = 2 * there.nbytes / _seconds(setting, lambda: copy.copy_(there)) / 1e12
    host = torch.randn(2**27)
    pinned = host.pin_memory()
    for name, source in (("pageable", host), ("pinned", pinned)):
        taken = _seconds(setting, partial(source.to, setting.device))
        found[f"to_device_{name}_gb_s"] = host.nbytes / taken / 1e9
    return found


def steps(setting: Setting) -> list[dict[str, Any]]:
    """Milliseconds of a step, full and with an adapter; on a GPU also what it works, and how many kernels that is."""
    rows = []
    count = 3 if setting.small else 30
    for precision in ("float32", "mixed"):
        resident = setting.resident(precision)
        for kind in ("finetune", "relearn"):
            node = setting.trajectory(kind)

            def run(steps: int, node: Any = node, resident: Any = resident) -> None:
                train(node, resident, steps, (), nobody, 32)

            run(2)
            many, one = _seconds(setting, lambda: run(count), 1), _seconds(setting, lambda: run(1), 1)
            row: dict[str, Any] = {
                "precision": precision,
                "kind": kind,
                "ms": 1000 * (many - one) / (count - 1),
            }
            rows.append(row | (_profiled(run) if setting.on_gpu else {}))
    return rows


def _profiled(run: Callable[[int], None]) -> dict[str, float]:
    from torch._C._autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        run(4)
        torch.cuda.synchronize()
    events = [event for event in seen.events() if event.device_type == DeviceType.CUDA]
    return {
        "device_ms": sum(event.device_time for event in events) / 4000,
        "kernels": len(events) / 4,
    }


def asking(setting: Setting) -> dict[str, Any]:
    """Seconds of an evaluation by how many probes are answered together, with weights cast each time and once.

    All rows are compared with those of weights that are cast each time, in the same batches.
    """
    asked = setting.plan.cells[0].evaluation.probes.probes
    wanted = 8 if setting.small else PROBES if setting.on_gpu else PROBES_ON_A_CPU
    probes = ProbeSet(
        tuple(replace(asked[at % len(asked)], name=f"probe-{at}") for at in range(wanted)),
    )
    tokens = 4 if setting.small else 40
    resident = setting.resident()
    rows = []
    for batch in (64, 256) if setting.on_gpu else (wanted,):
        answers = {}
        for name, cast in (("each time", _no_cast), ("once", cast_once)):
            with mock.patch.object(generation, "cast_once", cast):

                def ask(batch: int = batch) -> list[dict[str, Any]]:
                    return [each.row() for each in generation.answer_probes(resident, probes, tokens, batch)]

                answers[name] = ask()
                taken = min(_seconds(setting, ask, 1) for _ in range(2))
            rows.append({"batch": batch, "weights cast": name, "seconds": taken})
        rows[-1]["rows equal"] = answers["once"] == answers["each time"]
    return {"probes": wanted, "new_tokens": tokens, "rows": rows}


def _no_cast(resident: Any) -> AbstractContextManager[None]:
    return nullcontext()


def _seconds(setting: Setting, act: Callable[[], Any], times: int = 5) -> float:
    """Of one call, in the mean; several are preceded by one that warms up."""
    if times > 1:
        act()
    synchronised(setting.device)
    began = time.perf_counter()
    for _ in range(times):
        act()
    synchronised(setting.device)
    return (time.perf_counter() - began) / times
