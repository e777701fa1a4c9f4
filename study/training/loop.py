"""The one training loop: AdamW over batches whose content is a pure function of (seed, purpose, step).

Nothing in it knows how far the trajectory will go: the learning rate is constant after warm-up, the
order has no end, and evaluating in between draws nothing and leaves no trace. So step 8 of a trajectory
of 12 is step 8 of a trajectory of 8, to the bit on a CPU. The optimiser always starts fresh.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from study.errors import DivergedError
from study.identity import derived_seed
from study.models.adapters.lora import Adapter
from study.models.adapters.product import Product
from study.models.resident import Resident, frozen_copy
from study.objective import MaximumLikelihood, MicroBatch, Models, Objective, Step
from study.planning.stages import Trajectory
from study.text.examples import Corpus
from study.training.batches import Batches
from study.training.training_state import Progress, Resumption, restore, training_state


def train(
    trajectory: Trajectory,
    resident: Resident,
    last_step: int,
    stops: Collection[int],
    reached: Callable[[int, Progress, Product | None], None],
    micro_batch: int,
    helper: Sequence[Path] | None = None,
    activation_checkpointing: bool = False,
    resumption: Resumption | None = None,
) -> Progress:
    """Runs a trajectory from the weights now in the model to ``last_step``, and leaves it there.

    Args:
        trajectory: objective, data and optimiser; step 0 is what the model holds on entry.
        resident: the model to change in place, and its tokenizer.
        last_step: how many optimiser steps to take.
        stops: steps at which to call ``reached``, with the model plain and in evaluation mode.
        reached: publishes or evaluates; must not change the weights. Gets the step, the progress and, of a trajectory
            that trains an adapter, what it adds to the weights of step 0: the model has it in it.
        micro_batch: sequences in one forward pass. Execution, not identity.
        helper: the files of the trajectory's helper, if it has one, as ``Resident.load`` takes them.
        activation_checkpointing: computes activations again in the backward pass instead of keeping them.
            Execution, not identity.
        resumption: saves training states on the way, and names the one to continue from. The model holds the weights
            of step 0 on entry in that case too: a reference and an adapter are made from them.

    Raises:
        DivergedError: a loss or a weight was not finite; ``reached`` was not called from that step on.
    """
    model = resident.model
    optimiser = trajectory.optimiser
    objective, uses_reference = _objective(trajectory)
    models = Models(
        model,
        reference=frozen_copy(model) if uses_reference else None,
        helper=resident.copy_of(*helper) if helper is not None else None,
    )
    forget, retain = _data(trajectory, resident, micro_batch)
    lora_seed = derived_seed(trajectory.seed, trajectory.kind, "lora")
    adapter = Adapter(model, optimiser.lora, lora_seed) if optimiser.lora is not None else None
    if activation_checkpointing:
        model.activation_checkpointing_enable()
    try:
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        adamw = torch.optim.AdamW(
            parameters, lr=optimiser.learning_rate, weight_decay=optimiser.weight_decay, fused=True
        )
        progress = Progress()
        every = None
        if resumption is not None:
            every = resumption.every
            if resumption.middle is not None:
                progress = replace(resumption.middle[0])
                restore(model, adamw, resumption.middle[1])
        losses: list[torch.Tensor] = []
        model.train()
        for step in range(progress.steps, last_step):
            data = forget.micro_batches(step, models)
            retained = retain.micro_batches(step, models) if retain is not None else [None] * len(data)
            # Dropout, where a model has it, draws from the global generator: its state is set by the step.
            _seed(derived_seed(trajectory.seed, trajectory.kind, "dropout", step), resident.device)
            losses.append(_accumulate(objective, trajectory, resident, step, data, retained))
            if optimiser.gradient_clip is not None:
                torch.nn.utils.clip_grad_norm_(parameters, optimiser.gradient_clip)
            if optimiser.warmup_steps:
                for group in adamw.param_groups:
                    group["lr"] = optimiser.learning_rate * min(1, (step + 1) / optimiser.warmup_steps)
            adamw.step()
            adamw.zero_grad(set_to_none=True)
            progress.steps = step + 1
            progress.loss_tokens += data[0].loss_tokens
            state_due = every is not None and (step + 1) % every == 0 and step + 1 < last_step
            if step + 1 in stops or step + 1 == last_step or state_due:
                _refuse_divergence(losses, parameters, trajectory, step + 1)
                losses.clear()
            if step + 1 in stops:
                model.eval()
                if adapter is None:
                    reached(step + 1, progress, None)
                else:
                    product = adapter.product()
                    with adapter.switched_off(), resident.adding(product):
                        reached(step + 1, progress, product)
                model.train()
            if state_due and resumption is not None:
                resumption.save(progress, training_state(model, adamw))
        if adapter is not None:
            product = adapter.product()
            adapter.remove()
            adapter = None
            resident.add(product)
    finally:
        if adapter is not None:
            adapter.remove()
        if activation_checkpointing:
            model.activation_checkpointing_disable()
        model.eval()
    return progress


def _seed(seed: int, device: torch.device) -> None:
    """Seeds the generators that the model draws from, the CPU's and its device's.

    ``torch.manual_seed`` seeds every kind of device; for one that is absent it formats a stack trace each time, which
    takes a twentieth of a small model's step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def _data(trajectory: Trajectory, resident: Resident, micro_batch: int) -> tuple[Batches, Batches | None]:
    """The batches of the data, and of the retain data where the method uses some: each a stream of its own."""

    def batches(corpus: Corpus, purpose: str, generic: Corpus | None) -> Batches:
        return Batches(
            corpus,
            resident,
            seed=trajectory.seed,
            purpose=purpose,
            batch_size=trajectory.optimiser.batch_size,
            micro_batch=micro_batch,
            max_length=trajectory.max_length,
            generic=generic,
        )

    data, retain = trajectory.data, trajectory.retain
    return (
        batches(data, trajectory.kind, trajectory.generic),
        None if retain is None else batches(retain, f"{trajectory.kind} retain", None),
    )


def _objective(trajectory: Trajectory) -> tuple[Objective, bool]:
    """What is minimised, and whether it needs a frozen copy of the model at step 0."""
    if trajectory.method is None:
        return MaximumLikelihood(), False
    return trajectory.method, trajectory.method.uses_reference


def _accumulate(
    objective: Objective,
    trajectory: Trajectory,
    resident: Resident,
    step: int,
    data: list[MicroBatch],
    retain: Sequence[MicroBatch | None],
) -> torch.Tensor:
    """Gradients of the whole batch, micro-batch by micro-batch; its loss, detached."""
    shares = []
    for micro_batch, retained in zip(data, retain, strict=True):
        with resident.autocast():
            loss = objective.loss(Step(step, micro_batch, retained, trajectory.seed))
        loss.backward()
        shares.append(loss.detach())
    return torch.stack(shares).sum()


def _refuse_divergence(
    losses: list[torch.Tensor],
    parameters: list[torch.nn.Parameter],
    trajectory: Trajectory,
    step: int,
) -> None:
    # All asked before any is looked at: each look waits for a GPU to come so far.
    finite = [torch.isfinite(each).all() for each in (torch.stack(losses), *parameters)]
    if bool(torch.stack(finite).all()):
        return
    raise DivergedError(
        f"{trajectory.kind} diverged: the loss or the weights left the finite numbers by step {step} "
        f"(learning rate {trajectory.optimiser.learning_rate:g}); lower the rate or clip the gradient"
    )
