"""The one training loop: AdamW over batches whose content is a pure function of (seed, purpose, step).

Nothing in it knows how far the trajectory will go: the learning rate is constant after warm-up, the
order has no end, and evaluating in between draws nothing and leaves no trace. So step 8 of a trajectory
of 12 is step 8 of a trajectory of 8, to the bit on a CPU. The optimiser always starts fresh.
"""

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from study.errors import DivergedError, PreflightError
from study.identity import derived_seed
from study.models import Resident
from study.objective import Half, MaximumLikelihood, Objective, Step, UnlearningMethod, collate
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
    model = resident.model
    optimiser = trajectory.optimiser
    objective, uses_reference = _objective(trajectory)
    forget = _Batches(trajectory, trajectory.data, resident, micro_batch, trajectory.kind)
    retain = None
    if trajectory.retain is not None:
        purpose = f"{trajectory.kind} retain"
        retain = _Batches(trajectory, trajectory.retain, resident, micro_batch, purpose)
    reference = frozen_copy(model) if uses_reference else None
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
        data = forget.halves(step, reference)
        held = retain.halves(step, reference) if retain is not None else [None] * len(data)
        # Dropout, where a model has it, draws from the global generator: its state is set by the step.
        torch.manual_seed(derived_seed(trajectory.seed, trajectory.kind, "dropout", step))
        losses.append(_accumulate(objective, step, data, held))
        if optimiser.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, optimiser.gradient_clip)
        if optimiser.warmup_steps:
            for group in adamw.param_groups:
                group["lr"] = optimiser.learning_rate * min(1, (step + 1) / optimiser.warmup_steps)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        progress.steps = step + 1
        progress.loss_tokens += data[0].loss_tokens
        if step + 1 in stops or step + 1 == last_step:
            _refuse_divergence(losses, parameters, trajectory, step + 1)
            losses.clear()
        if step + 1 in stops:
            model.eval()
            reached(step + 1, progress)
            model.train()
    model.eval()
    return progress


def _objective(trajectory: Trajectory) -> tuple[Objective, bool]:
    """What is minimised, and whether it needs the model that the trajectory starts from."""
    if trajectory.method is None:
        return MaximumLikelihood(), False
    if not isinstance(trajectory.method, UnlearningMethod):
        raise TypeError(f"{type(trajectory.method).__name__} does not fulfil the UnlearningMethod protocol")
    return trajectory.method, trajectory.method.uses_reference


def frozen_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The model as it is now, in evaluation mode and without gradients."""
    reference = copy.deepcopy(model)
    reference.eval()
    reference.requires_grad_(requires_grad=False)
    return reference


class _Batches:
    """The micro-batches of each step of one corpus, in the order of its own stream."""

    def __init__(
        self, trajectory: Trajectory, corpus: Corpus, resident: Resident, micro_batch: int, purpose: str
    ) -> None:
        self._rows = encode(corpus, resident.tokenizer, resident.context)
        self._resident = resident
        self._micro_batch = micro_batch
        self._batch_size = trajectory.optimiser.batch_size
        self._seed = trajectory.seed
        self._purpose = purpose

    def halves(self, step: int, reference: PreTrainedModel | None) -> list[Half]:
        chosen = batch_indices(len(self._rows), self._batch_size, self._seed, self._purpose, step)
        batch = [self._rows[index] for index in chosen]
        parts = [
            collate(batch[start : start + self._micro_batch], self._resident.pad, self._resident.device)
            for start in range(0, len(batch), self._micro_batch)
        ]
        loss_tokens = sum(part.loss_tokens() for part in parts)
        return [Half(self._resident.model, reference, part, loss_tokens, len(batch)) for part in parts]


def _accumulate(
    objective: Objective, step: int, data: list[Half], retain: Sequence[Half | None]
) -> torch.Tensor:
    """Gradients of the whole batch, micro-batch by micro-batch; its loss, detached."""
    shares = []
    for half, held in zip(data, retain, strict=True):
        loss = objective.loss(Step(step, half, held))
        loss.backward()
        shares.append(loss.detach())
    return torch.stack(shares).sum()


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
