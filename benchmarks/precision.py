"""What a step and an evaluation cost on this machine in each precision: processor seconds of one thread.

``python -m benchmarks.precision MODEL TOFU [RETAIN]``: TOFU's pairs in batches of 8, all weights and a LoRA;
the first step of each warms up and is not counted. Seconds of the processor, not of the clock, so that it can
be measured beside other work.
"""

import sys
import time
from statistics import mean

import torch

from study.evaluation.generation import ask
from study.models.lora import Adapter
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.objective import MaximumLikelihood, Models, Step
from study.planning.stages import Pretrained
from study.scenarios.tofu import Tofu
from study.settings.optimiser import LoRA
from study.text import Material
from study.training.batches import Batches

STEPS, BATCH, NEW_TOKENS = 3, 8, 48


def step_seconds(resident: Resident, material: Material, lora: LoRA | None) -> tuple[float, float]:
    """Processor seconds of a step, and the first loss."""
    adapter = Adapter(resident.model, lora, seed=0) if lora is not None else None
    trained = [parameter for parameter in resident.model.parameters() if parameter.requires_grad]
    adamw = torch.optim.AdamW(trained, lr=1e-4, fused=True)
    batches = Batches(
        material.learned,
        resident,
        seed=0,
        purpose="finetune",
        batch_size=BATCH,
        micro_batch=BATCH,
        max_length=None,
    )
    took, losses = [], []
    resident.model.train()
    for number in range(STEPS):
        began = time.process_time()
        [half] = batches.halves(number, Models(resident.model))
        with resident.computing():
            loss = MaximumLikelihood().loss(Step(number, half))
        loss.backward()
        adamw.step()
        adamw.zero_grad()
        took.append(time.process_time() - began)
        losses.append(loss.item())
    resident.model.eval()
    if adapter is not None:
        adapter.remove()
    return mean(took[1:]), losses[0]


def main(arguments: list[str]) -> None:
    """See the module's text."""
    model, data, *rest = arguments
    torch.set_num_threads(1)
    material = Tofu(data=data, retain=rest[0] if rest else "retain95").material(1)
    print("| precision | all weights, s a step | LoRA, s a step | 40 probes, s | first loss |")
    print("| --- | --- | --- | --- | --- |")
    for precision in ("float32", "mixed", "bfloat16"):
        resident = Resident(Pretrained(model, fingerprint(model), "sdpa", precision))
        began = time.process_time()
        ask(resident, material.probes, NEW_TOKENS, batch_size=64)
        asked = time.process_time() - began
        full, loss = step_seconds(resident, material, None)
        resident.reset()
        adapter, _ = step_seconds(resident, material, LoRA())
        print(f"| {precision} | {full:.1f} | {adapter:.1f} | {asked:.0f} | {loss:.4f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
