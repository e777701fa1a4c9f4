"""Whole stages on a GPU: their peak memory beside what was told before, and the arms of the benchmark through Ray."""

import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.__main__ import schedule
from benchmarks.comparison.runs import take
from benchmarks.gpu.setting import ADAPTER, FULL, Setting, workload
from cluster.storage.local_store import LocalStore
from search_spaces.loading import validate
from study.models.devices.placement import Placement
from study.models.memory import size_of, stage_need
from study.models.pretrained import fingerprint
from study.performing.perform import perform
from study.performing.residents import Residents
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.stages import Pretrained, Trajectory
from study.training.encoding import encode
from study.unlearning import METHODS

GIBIBYTE = 2**30
KEPT = ("wall_seconds", "cpu_seconds", "train", "evaluations", "evaluation_seconds", "peak_bytes", "weights")


def whole(setting: Setting) -> list[dict[str, Any]]:
    """Every method, full and with an adapter, as stages that are performed: seconds, and peak memory in GiB."""
    rows = []
    methods = ("gradient_ascent",) if setting.small else tuple(METHODS)
    for precision in ("mixed",) if setting.small else ("mixed", "float32"):
        for method in methods:
            for optimiser in (FULL, ADAPTER):
                rows += _stages(setting, precision, method, optimiser)
    return rows


def _stages(setting: Setting, precision: str, method: str, optimiser: dict[str, Any]) -> list[dict[str, Any]]:
    fields = {
        **workload(setting.small).spec(str(setting.model)).model_dump(mode="json"),
        "method": [method],
        "precision": precision,
        "depth": [2],
        "relearn_steps": [0, 2],
        "corpus": ["same_author"],
        "finetune": {"steps": 3, "optimiser": FULL},
        "unlearn": optimiser,
        "execution": {"gpus": 1 if setting.on_gpu else 0},
    }
    plan = make_plan(read_materials(validate(fields, place="benchmarks.gpu")), fingerprint)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store, residents = LocalStore(Path(folder)), Residents()
        for stage in plan.stages.values():
            if setting.on_gpu:
                torch.cuda.reset_peak_memory_stats()
            began = time.perf_counter()
            perform(stage, store, residents, plan.spec.execution)
            seconds = time.perf_counter() - began
            node = stage.node
            if stage.kind != "unlearn" or not isinstance(node, Trajectory):
                continue
            resident = residents.get(node.source, Placement.on(setting.device))
            texts = encode(node.data, resident.tokenizer, resident.context)
            longest = max(len(text.ids) for text in texts)
            if not isinstance(node.source, Pretrained):
                raise TypeError("the study's model is a folder")
            need = stage_need(stage, size_of(node.source), plan.spec.execution, longest)
            rows.append(
                {
                    "method": method,
                    "adapter": "lora" in optimiser,
                    "precision": precision,
                    "seconds": seconds,
                    "told_gib": max(need.device, need.host if not setting.on_gpu else 0) / GIBIBYTE,
                    "peak_gib": torch.cuda.max_memory_allocated() / GIBIBYTE if setting.on_gpu else None,
                }
            )
    return rows


def arms(setting: Setting) -> dict[str, Any]:
    """The benchmark's arms on this study through Ray, B0 and B1 on a sample; four workers share a GPU."""
    sample = 2 if setting.small else 9
    whole_workload = replace(workload(setting.small), sampled={"B0": sample, "B1": sample})
    found: dict[str, Any] = {}
    for one in schedule(whole_workload, None, 1, 0):
        facts = take(one, setting.out / "arms", setting.model, per_device=4)
        found[one.arm] = {name: facts[name] for name in KEPT} | {"cells": facts["cells"]}
    digests: dict[str, set[str]] = {}
    for facts in found.values():
        for name, digest in facts["cells"].items():
            digests.setdefault(name, set()).add(json.dumps(digest))
    for facts in found.values():
        facts["cells"] = len(facts["cells"])
    return {"arms": found, "cells that differ": sum(len(each) > 1 for each in digests.values())}
