"""What all parts measure on: a model of SmolLM2-135M's shape with random weights, and the stages of one small study.

What a step takes does not depend on what a model says. ``small`` is the same in a size for a CPU, as a test runs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.comparison.workloads import Workload, fields_of
from search_spaces.experiments.tofu import tofu_mini
from study.models.devices.placement import Placement
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.models.tokenizer import load_tokenizer
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from study.planning.stages import Embedded, Pretrained, Trajectory
from study.training.training_state import Progress

SHAPE_135M: Mapping[str, Any] = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
SHAPE_SMALL: Mapping[str, Any] = {
    **SHAPE_135M,
    "vocab_size": 2048,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}
FULL = {"learning_rate": 1e-4, "batch_size": 8}
ADAPTER = {"learning_rate": 2e-4, "batch_size": 8, "lora": {"rank": 16, "alpha": 32}}
AXES: Mapping[str, Any] = {
    "depth": [6, 9, 12],
    "relearn_steps": [0, 15, 30, 48, 60],
    "corpus": ["same_author", "retain", "gibberish"],
}
AXES_SMALL: Mapping[str, Any] = {"depth": [1], "relearn_steps": [0, 2], "corpus": ["same_author"]}


@dataclass(frozen=True)
class Setting:
    """Where and on what the parts measure.

    Attributes:
        device: the GPU; a CPU for a look at the script itself.
        model: the folder of the pretrained model.
        plan: of the workload's study on it.
    """

    out: Path
    small: bool
    device: torch.device
    model: Path
    plan: Plan

    @property
    def on_gpu(self) -> bool:
        """Whether there is one."""
        return self.device.type != "cpu"

    def trajectory(self, kind: str) -> Trajectory:
        """The first of a kind: ``finetune`` trains all weights, ``relearn`` an adapter."""
        return next(
            stage.node
            for stage in self.plan.stages.values()
            if isinstance(stage.node, Trajectory) and stage.kind == kind
        )

    def resident(self, precision: str = "mixed", placement: Placement | None = None) -> Resident:
        """The model on the device, or placed otherwise."""
        source = self.trajectory("finetune").source
        if not isinstance(source, Pretrained):
            raise TypeError("the study's model is a folder")
        return Resident(replace(source, precision=precision), placement or Placement.on(self.device))


def workload(small: bool) -> Workload:
    """Depths × corpora × step counts of one seed: 45 cells, and the stages that a real study shares."""
    return Workload(
        "gpu",
        "TOFU miniature on SmolLM2-135M's shape",
        fields_of(
            tofu_mini(),
            **(AXES_SMALL if small else AXES),
            precision="mixed",
            seed=[0],
            finetune={"steps": 3 if small else 60, "optimiser": FULL},
            unlearn=FULL,
            relearn=ADAPTER,
            generation={"max_new_tokens": 4 if small else 40},
        ),
    )


def prepare(out: Path, small: bool, device: torch.device) -> Setting:
    """The setting, its model written to ``out/model``."""
    model = model_folder(out / "model", small)
    plan = make_plan(read_materials(workload(small).spec(str(model))), fingerprint)
    return Setting(out, small, device, model, plan)


def model_folder(folder: Path, small: bool) -> Path:
    """Random weights of one seed, and the miniature's own tokenizer."""
    plan = make_plan(read_materials(workload(small).spec("embedded")), str)
    node = next(iter(plan.stages.values())).node
    source = node.source if isinstance(node, Trajectory) else node
    if not isinstance(source, Embedded):
        raise TypeError("the miniature's own model is embedded")
    torch.manual_seed(0)
    shape = dict(SHAPE_SMALL if small else SHAPE_135M)
    config = LlamaConfig(**shape, pad_token_id=0, bos_token_id=1, eos_token_id=None)
    LlamaForCausalLM(config).save_pretrained(folder)
    load_tokenizer(source).save_pretrained(folder)
    return folder


def nobody(step: int, progress: Progress, product: object) -> None:
    """Looks at nothing on the way."""


def synchronised(device: torch.device) -> None:
    """Waits until the device has done what it was given, as a clock needs."""
    if device.type != "cpu":
        torch.cuda.synchronize()
