"""The one training loop: AdamW over batches whose content is a pure function of (seed, purpose, step).

Nothing in it knows how far the trajectory will go: the learning rate is constant after warm-up, the
order has no end, and evaluating in between draws nothing and leaves no trace. So step 8 of a trajectory
of 12 is step 8 of a trajectory of 8, to the bit on a CPU. The optimiser always starts fresh.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerBase

from study.errors import DivergedError, PreflightError
from study.identity import derived_seed
from study.models import Resident
from study.objective import MaximumLikelihood, Objective, Step, Tokens, collate
from study.order import batch_indices
from study.stages import Trajectory
from study.text import Corpus


@dataclass
class Progress:
    """What a trajectory has cost so far."""

    steps: int = 0
    loss_tokens: int = 0


def encode(corpus: Corpus, tokenizer: PreTrainedTokenizerBase, context: int) -> list[tuple[list[int], int]]:
    """Token ids of each example, with the number of leading prompt tokens, which bear no loss.

    Raises:
        PreflightError: an example is longer than the model's context, or has nothing to learn.
    """
    rows = []
    for index, example in enumerate(corpus.examples):
        text = f"{example.prompt} {example.completion}" if example.prompt else example.completion
        ids = list(tokenizer(text)["input_ids"])
        prompt = len(tokenizer(example.prompt)["input_ids"]) if example.prompt else 0
        if len(ids) > context:
            raise PreflightError(
                f"training text {index + 1} has {len(ids)} tokens, the model's context is {context}: "
                "shorten it, or use a model with a longer context"
            )
        if len(ids) < 2 or prompt >= len(ids):
            raise PreflightError(
                f"training text {index + 1} has no token to learn: {text[:60]!r}; take it out"
            )
        rows.append((ids, prompt))
    return rows


def train(
    trajectory: Trajectory,
    resident: Resident,
    last_step: int,
    stops: Collection[int],
    reached: Callable[[int, Progress], None],
    micro_batch: int,
) -> Progress:
    """Runs a trajectory from the weights now in the model to ``last_step``.

    Args:
        trajectory: objective, data and optimiser; step 0 is what the model holds on entry.
        resident: the model to change in place, and its tokenizer.
        last_step: how many optimiser steps to take.
        stops: steps at which to call ``reached``, with the model in evaluation mode.
        reached: publishes or evaluates; must not change the weights.
        micro_batch: sequences in one forward pass. Execution, not identity.

    Raises:
        DivergedError: a loss was not finite; nothing from that step on was handed out.
    """
    model, device = resident.model, resident.device
    optimiser = trajectory.optimiser
    rows = encode(trajectory.data, resident.tokenizer, resident.context)
    objective = trajectory.method if trajectory.method is not None else MaximumLikelihood()
    if not hasattr(objective, "loss"):
        raise TypeError(f"{type(objective).__name__} has no loss: it is no unlearning method")
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    adamw = torch.optim.AdamW(
        parameters,
        lr=optimiser.learning_rate,
        weight_decay=optimiser.weight_decay,
        fused=True,
    )
    progress = Progress()
    losses: list[torch.Tensor] = []
    model.train()
    for step in range(last_step):
        chosen = batch_indices(len(rows), optimiser.batch_size, trajectory.seed, trajectory.kind, step)
        batch = [rows[index] for index in chosen]
        parts = [
            collate(batch[start : start + micro_batch], resident.pad, device)
            for start in range(0, len(batch), micro_batch)
        ]
        # Dropout, where a model has it, draws from the global generator: its state is set by the step.
        torch.manual_seed(derived_seed(trajectory.seed, trajectory.kind, "dropout", step))
        losses.append(_accumulate(objective, resident, parts))
        if optimiser.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, optimiser.gradient_clip)
        if optimiser.warmup_steps:
            for group in adamw.param_groups:
                group["lr"] = optimiser.learning_rate * min(1, (step + 1) / optimiser.warmup_steps)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        progress.steps = step + 1
        progress.loss_tokens += sum(part.loss_tokens() for part in parts)
        if step + 1 in stops or step + 1 == last_step:
            _refuse_divergence(losses, parameters, trajectory, step + 1)
            losses.clear()
        if step + 1 in stops:
            model.eval()
            reached(step + 1, progress)
            model.train()
    model.eval()
    return progress


def _accumulate(objective: Objective, resident: Resident, parts: list[Tokens]) -> torch.Tensor:
    """Gradients of the whole batch, micro-batch by micro-batch; its loss, detached."""
    batch_loss_tokens = sum(part.loss_tokens() for part in parts)
    total = torch.zeros((), device=resident.device)
    for part in parts:
        loss = objective.loss(Step(resident.model, part, batch_loss_tokens))
        loss.backward()
        total += loss.detach()
    return total


def _refuse_divergence(
    losses: list[torch.Tensor],
    parameters: list[torch.nn.Parameter],
    trajectory: Trajectory,
    step: int,
) -> None:
    finite = torch.isfinite(torch.stack(losses))
    weights_finite = all(bool(torch.isfinite(parameter).all()) for parameter in parameters)
    if bool(finite.all()) and weights_finite:
        return
    raise DivergedError(
        f"{trajectory.kind} diverged: the loss or the weights left the finite numbers by step {step} "
        f"(learning rate {trajectory.optimiser.learning_rate:g}); lower the rate or clip the gradient"
    )
