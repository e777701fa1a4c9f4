"""What one optimiser step minimises. Finetuning, unlearning and relearning differ in this and their data.

An objective sees a micro-batch and the number of loss tokens of the whole batch, and returns its share of
the batch's loss. So accumulating micro-batches averages over tokens, and how a batch is cut up for memory
is execution, not identity.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

IGNORED = -100


@dataclass(frozen=True)
class Tokens:
    """A right-padded batch, each tensor of shape (sequences, length), int64.

    ``labels`` equals ``input_ids`` where a token bears loss, and IGNORED elsewhere.
    """

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor

    def loss_tokens(self) -> int:
        """How many tokens bear loss: those with a label that some earlier token predicts."""
        return int((self.labels[:, 1:] != IGNORED).sum())


@dataclass(frozen=True)
class Half:
    """One of the two batches of a step, forget or retain: a micro-batch, and the size of the whole batch.

    Attributes:
        loss_tokens, sequences: of the whole batch, over all its micro-batches; what a mean divides by.
    """

    model: PreTrainedModel
    reference: PreTrainedModel | None
    tokens: Tokens
    loss_tokens: int
    sequences: int

    @cached_property
    def logits(self) -> Tensor:
        """Of the model, float32, (sequences, length - 1, vocabulary): the prediction of each next token."""
        return next_token_logits(self.model, self.tokens)

    @cached_property
    def reference_logits(self) -> Tensor:
        """Of the frozen reference, as ``logits``; computed once for a micro-batch, without gradient."""
        if self.reference is None:
            raise TypeError("this method did not ask for a reference model")
        with torch.no_grad():
            return next_token_logits(self.reference, self.tokens)

    @property
    def labels(self) -> Tensor:
        """The next tokens, (sequences, length - 1); IGNORED where no loss is borne."""
        return self.tokens.labels[:, 1:]

    def mean_nll(self) -> Tensor:
        """This micro-batch's share of the batch's mean negative log-likelihood; scalar, nats per token."""
        total = functional.cross_entropy(
            self.logits.flatten(0, 1), self.labels.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return total / self.loss_tokens

    def mean_divergence(self) -> Tensor:
        """Share of the batch's mean KL(reference ‖ model) over the vocabulary; scalar, nats per token."""
        ours = self.logits.log_softmax(-1)
        theirs = self.reference_logits.log_softmax(-1)
        each = (theirs.exp() * (theirs - ours)).sum(-1)
        return each[self.labels != IGNORED].sum() / self.loss_tokens

    def log_ratios(self) -> Tensor:
        """Log p(sequence) of the model minus that of the reference, (sequences,), summed over tokens."""
        return sequence_log_likelihood(self.logits, self.labels) - sequence_log_likelihood(
            self.reference_logits, self.labels
        )


@dataclass(frozen=True)
class Step:
    """What an objective is given: the step's number from 0, its data, and its retain data if it has any."""

    number: int
    data: Half
    retain: Half | None = None

    @property
    def the_retain(self) -> Half:
        """The retain half, for a method that declared that it uses one."""
        if self.retain is None:
            raise TypeError("this method did not ask for retain data")
        return self.retain


class Objective(Protocol):
    """What is minimised."""

    def loss(self, step: Step) -> Tensor:
        """A scalar: this micro-batch's share of the batch's loss."""
        ...


@runtime_checkable
class UnlearningMethod(Objective, Protocol):
    """The plug point of the unlearning methods."""

    @property
    def uses_retain(self) -> bool:
        """Whether a step needs a batch of retain data."""
        ...

    @property
    def uses_reference(self) -> bool:
        """Whether a step needs the frozen model that the unlearning started from."""
        ...


class MaximumLikelihood:
    """Plain finetuning."""

    def loss(self, step: Step) -> Tensor:
        """The mean negative log-likelihood of the loss tokens."""
        return step.data.mean_nll()


def next_token_logits(model: PreTrainedModel, tokens: Tokens) -> Tensor:
    """float32, (sequences, length - 1, vocabulary)."""
    logits: Tensor = model(
        input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, use_cache=False
    ).logits
    return logits[:, :-1].float()


def sequence_log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Log p of each sequence's loss tokens, summed, in nats; (sequences,)."""
    nll = functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return -nll.sum(1)


def collate(rows: list[tuple[list[int], int]], pad: int, device: torch.device) -> Tokens:
    """Right-pads (token ids, number of leading tokens without loss) into a batch on a device."""
    longest = max(len(ids) for ids, _ in rows)
    input_ids = torch.full((len(rows), longest), pad, dtype=torch.int64)
    mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED)
    for row, (ids, prompt) in enumerate(rows):
        input_ids[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = 1
        labels[row, prompt : len(ids)] = torch.tensor(ids[prompt:])
    return Tokens(input_ids.to(device), mask.to(device), labels.to(device))
