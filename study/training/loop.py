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
from study.models.adapters.product import Product
from study.models.resident import Resident
from study.planning.stages import Trajectory
from study.text.examples import Corpus
from study.training.batches import Batches
from study.training.share import Share
from study.training.trained import Trained, Whole
from study.training.training_state import Progress, Resumption
from study.unlearning.objective import MaximumLikelihood, MicroBatch, Objective, Step


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
    trained = Whole(trajectory, resident, helper=helper, activation_checkpointing=activation_checkpointing)
    return take_steps(trajectory, resident, trained, last_step, stops, reached, micro_batch, resumption)


def take_steps(
    trajectory: Trajectory,
    resident: Resident,
    trained: Trained,
    last_step: int,
    stops: Collection[int],
    reached: Callable[[int, Progress, Product | None], None],
    micro_batch: int,
    resumption: Resumption | None,
) -> Progress:
    """As ``train``, of a model however it lies in memory; it is closed at the end, however that comes about.

    Args:
        resident: what texts are encoded for, on the device that computes.
    """
    try:
        optimiser = trajectory.optimiser
        model = trained.models.model
        forget, retain = _data(trajectory, resident, micro_batch, trained.share)
        adamw = torch.optim.AdamW(
            trained.parameters, lr=optimiser.learning_rate, weight_decay=optimiser.weight_decay, fused=True
        )
        progress = Progress()
        every = None
        if resumption is not None:
            every = resumption.every
            if resumption.middle is not None:
                progress = replace(resumption.middle[0])
                trained.restore(adamw, resumption.middle[1])
        losses: list[torch.Tensor] = []
        model.train()
        for step in range(progress.steps, last_step):
            data = forget.micro_batches(step, trained.models)
            retained = (
                retain.micro_batches(step, trained.models) if retain is not None else [None] * len(data)
            )
            # Dropout, where a model has it, draws from the global generator: its state is set by the step.
            _seed(trained.share.dropout_seed(trajectory, step), resident.placement.devices)
            losses.append(_accumulate(trained, trajectory, resident, step, data, retained))
            if optimiser.gradient_clip is not None:
                trained.clip(optimiser.gradient_clip)
            if optimiser.warmup_steps:
                for group in adamw.param_groups:
                    group["lr"] = optimiser.learning_rate * min(1, (step + 1) / optimiser.warmup_steps)
            adamw.step()
            trained.after_step()
            adamw.zero_grad(set_to_none=True)
            progress.steps = step + 1
            progress.loss_tokens += data[0].loss_tokens
            state_due = every is not None and (step + 1) % every == 0 and step + 1 < last_step
            if step + 1 in stops or step + 1 == last_step or state_due:
                _refuse_divergence(trained, losses, trajectory, step + 1)
                losses.clear()
            if step + 1 in stops:
                model.eval()
                with trained.at_stop() as product:
                    reached(step + 1, progress, product)
                model.train()
            if state_due and resumption is not None:
                resumption.save(progress, trained.state(adamw))
        trained.finish()
    finally:
        trained.close()
    return progress


def _seed(seed: int, devices: Sequence[torch.device]) -> None:
    """Seeds the generators that the model draws from, the CPU's and those of its devices, each with another number.

    ``torch.manual_seed`` seeds every kind of device; for one that is absent it formats a stack trace each time, which
    takes a twentieth of a small model's step.
    """
    torch.default_generator.manual_seed(seed)
    for place, device in enumerate(devices):
        if device.type != "cpu":
            with torch.get_device_module(device).device(device):
                torch.get_device_module(device).manual_seed(seed + place)


def _data(
    trajectory: Trajectory, resident: Resident, micro_batch: int, share: Share
) -> tuple[Batches, Batches | None]:
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
            share=share,
        )

    data, retain = trajectory.data, trajectory.retain
    return (
        batches(data, trajectory.kind, trajectory.generic),
        None if retain is None else batches(retain, f"{trajectory.kind} retain", None),
    )


def _accumulate(
    trained: Trained,
    trajectory: Trajectory,
    resident: Resident,
    step: int,
    data: list[MicroBatch],
    retain: Sequence[MicroBatch | None],
) -> torch.Tensor:
    """Gradients of the whole batch, micro-batch by micro-batch; the loss of those of this process, detached."""
    objective: Objective = trajectory.method or MaximumLikelihood()
    shares = []
    for micro_batch, retained in zip(data, retain, strict=True):
        trained.before_backward()
        with resident.autocast():
            loss = objective.loss(Step(step, micro_batch, retained, trajectory.seed))
        loss.backward()
        shares.append(loss.detach())
    trained.gather_gradients()
    return torch.stack(shares).sum()


def _refuse_divergence(
    trained: Trained, losses: list[torch.Tensor], trajectory: Trajectory, step: int
) -> None:
    if trained.all_finite(losses):
        return
    raise DivergedError(
        f"{trajectory.kind} diverged: the loss or the weights left the finite numbers by step {step} "
        f"(learning rate {trajectory.optimiser.learning_rate:g}); lower the rate or clip the gradient"
    )
