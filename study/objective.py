"""What one optimiser step minimises. Finetuning, unlearning and relearning differ in this and their data.

An objective sees a micro-batch and the number of loss tokens of the whole batch, and returns its share of
the batch's loss. So accumulating micro-batches averages over tokens, and how a batch is cut up for memory
is execution, not identity.
"""

from dataclasses import dataclass
from typing import Protocol

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
class Step:
    """What an objective is given: a model in training mode, a micro-batch, and the batch's token count."""

    model: PreTrainedModel
    tokens: Tokens
    batch_loss_tokens: int

    def mean_nll(self) -> Tensor:
        """This micro-batch's share of the batch's mean negative log-likelihood; scalar, nats per token."""
        logits = self.model(
            input_ids=self.tokens.input_ids,
            attention_mask=self.tokens.attention_mask,
            use_cache=False,
        ).logits
        total = functional.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(),
            self.tokens.labels[:, 1:].flatten(),
            ignore_index=IGNORED,
            reduction="sum",
        )
        return total / self.batch_loss_tokens


class Objective(Protocol):
    """The plug point of the unlearning methods."""

    def loss(self, step: Step) -> Tensor:
        """A scalar to minimise."""
        ...


class MaximumLikelihood:
    """Plain finetuning."""

    def loss(self, step: Step) -> Tensor:
        """The mean negative log-likelihood of the loss tokens."""
        return step.mean_nll()


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
