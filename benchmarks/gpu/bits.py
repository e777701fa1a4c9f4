"""Whether the same gives the same bits: again, cut off and gone on with, by deterministic kernels, as a CUDA graph."""

import dataclasses
import time
from typing import Any

import torch

from benchmarks.gpu.setting import Setting, nobody, synchronised
from study.evaluation.answering.generation import answer_probes
from study.models.adapters.lora import Adapter
from study.models.devices.attention_mask import causal_mask
from study.models.hardware import kernels
from study.models.resident import Resident
from study.planning.stages import Trajectory
from study.settings.optimiser import LoRA
from study.training.loop import train
from study.training.training_state import Progress, Resumption, State

Weights = dict[str, torch.Tensor]


def bits(setting: Setting) -> dict[str, Any]:
    """How far two runs of some steps are apart, over how far they moved: 0.0 is the same bits."""
    steps = 3 if setting.small else 10
    resident = setting.resident()
    probes = setting.plan.cells[0].evaluation.probes
    found: dict[str, Any] = {}
    for kind in ("finetune", "relearn"):
        node = setting.trajectory(kind)
        start = _weights(resident, reset=True)
        first = _trained(node, resident, steps)
        found[kind] = {
            "again": _apart(first, _trained(node, resident, steps), start),
            "two micro-batches": _apart(first, _trained(node, resident, steps, micro_batch=4), start),
            "cut off and gone on with": _apart(first, _resumed(node, resident, steps), start),
        }
        with kernels(setting.device, deterministic=True):
            one, other = _trained(node, resident, steps), _trained(node, resident, steps)
        found[kind]["deterministic, again"] = _apart(one, other, start)
        asked = [[each.row() for each in answer_probes(resident, probes, 8, 64)] for _ in range(2)]
        found[kind]["answers again"] = asked[0] == asked[1]
    return found


def _trained(node: Trajectory, resident: Resident, steps: int, micro_batch: int = 32) -> Weights:
    resident.reset()
    train(node, resident, steps, (), nobody, micro_batch)
    return _weights(resident)


def _resumed(node: Trajectory, resident: Resident, steps: int) -> Weights:
    """Cut off after two steps, and gone on with from the state."""
    saved: list[tuple[Progress, State]] = []

    def save(progress: Progress, state: State) -> None:
        saved.append(
            (dataclasses.replace(progress), {name: value.cpu().clone() for name, value in state.items()})
        )

    resident.reset()
    train(node, resident, 3, (), nobody, 32, resumption=Resumption(2, save, None))
    resident.reset()
    train(
        node,
        resident,
        steps,
        (),
        nobody,
        32,
        resumption=Resumption(None, lambda progress, state: None, saved[0]),
    )
    return _weights(resident)


def _weights(resident: Resident, reset: bool = False) -> Weights:
    if reset:
        resident.reset()
    return {name: value.double() for name, value in resident.weights().items()}


def _apart(one: Weights, other: Weights, start: Weights) -> float:
    """The norm of the difference over how far the weights moved."""
    difference = sum(float((one[name] - other[name]).square().sum()) for name in one)
    moved = sum(float((one[name] - start[name]).square().sum()) for name in one)
    return float((difference / moved) ** 0.5)


def graphs(setting: Setting) -> list[dict[str, Any]]:
    """A step as one CUDA graph: milliseconds, and whether its bits are those of the same kernels one by one."""
    return [_graph(setting, adapted) for adapted in (False, True)] if setting.on_gpu else []


def _graph(setting: Setting, adapted: bool) -> dict[str, Any]:
    model = setting.resident().model
    adapter = Adapter(model, LoRA(), 0) if adapted else None
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    start = [parameter.detach().clone() for parameter in trained]
    ids = torch.randint(5, model.config.vocab_size, (8, 64), device=setting.device)
    mask = causal_mask(torch.ones_like(ids), 64)
    adamw = torch.optim.AdamW(trained, lr=1e-4, fused=True, capturable=True)
    model.train()

    def step() -> None:
        with torch.autocast(setting.device.type, torch.bfloat16):
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        flat = logits[:, :-1].float().flatten(0, 1)
        torch.nn.functional.cross_entropy(flat, ids[:, 1:].flatten()).backward()
        adamw.step()

    def back() -> None:
        with torch.no_grad():
            for parameter, value in zip(trained, start, strict=True):
                parameter.copy_(value)
            for state in adamw.state.values():
                for value in state.values():
                    value.zero_()
        adamw.zero_grad(set_to_none=True)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
            adamw.zero_grad(set_to_none=True)
    torch.cuda.current_stream().wait_stream(side)
    back()

    def one_step() -> None:
        step()
        adamw.zero_grad(set_to_none=True)

    eager = _ten(setting, one_step)
    one_by_one = [parameter.detach().clone() for parameter in trained]
    back()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replayed = _ten(setting, graph.replay)
    equal = all(torch.equal(one, other) for one, other in zip(trained, one_by_one, strict=True))
    if adapter is not None:
        adapter.remove()
    return {"adapter": adapted, "eager_ms": eager, "graph_ms": replayed, "bits equal": equal}


def _ten(setting: Setting, act: Any) -> float:
    """Milliseconds of a call, in the mean of ten."""
    synchronised(setting.device)
    began = time.perf_counter()
    for _ in range(10):
        act()
    synchronised(setting.device)
    return 100 * (time.perf_counter() - began)
