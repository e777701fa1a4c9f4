"""What one optimiser step minimises. Finetuning, unlearning and relearning differ in this and their data.

An objective sees a micro-batch and the number of loss tokens of the whole batch, and returns its share of
the batch's loss. So accumulating micro-batches averages over tokens, and how a batch is cut up for memory
is execution, not identity.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

IGNORED = -100


@dataclass(frozen=True)
class Tokens:
    """A right-padded batch.

    Attributes:
        input_ids, labels: (sequences, length), int64; a label equals its token where that bears loss, and is IGNORED
            elsewhere.
        attention_mask: as the model takes it, see ``study.models.devices.attention_mask``.
        loss_places: int64, where the next token bears loss, into the flat (sequences × (length - 1)). Found on the
            host, so that nobody waits for a GPU to count.
    """

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor
    loss_places: Tensor

    def loss_tokens(self) -> int:
        """How many tokens bear loss: those with a label that some earlier token predicts."""
        return len(self.loss_places)


@dataclass(frozen=True)
class Translation:
    """The generic texts of a micro-batch: its telling terms replaced by others of their kind.

    Attributes:
        positions: int64 of shape (sequences, length - 1), the length being the *original*'s: the position in the
            generic text that predicts the counterpart of each predicted token, and -1 where there is none.
        loss_places: those of the original's that have a counterpart.
    """

    tokens: Tokens
    positions: Tensor
    loss_places: Tensor


@dataclass(frozen=True)
class Models:
    """The models that an objective may run.

    Attributes:
        model: the one that is trained.
        reference: frozen, as it was at step 0 of the trajectory; None unless the method uses it.
        helper: frozen, from the method's prerequisite stage; None where it has none.
    """

    model: PreTrainedModel
    reference: PreTrainedModel | None = None
    helper: PreTrainedModel | None = None


@dataclass(frozen=True)
class MicroBatch:
    """A micro-batch of a step's data or retain data, with the size of the whole batch.

    Each model's predictions are computed once, when they are first read.

    Attributes:
        loss_tokens, sequences: of the whole batch, over all its micro-batches; what a mean divides by.
        translation: its generic texts, where the scenario has some.
    """

    models: Models
    tokens: Tokens
    loss_tokens: int
    sequences: int
    translation: Translation | None = None

    @cached_property
    def logits(self) -> Tensor:
        """Of the model, float32, (sequences, length - 1, vocabulary): the prediction of each next token."""
        return next_token_logits(self.models.model, self.tokens)

    @cached_property
    def reference_logits(self) -> Tensor:
        """Of the frozen reference, as ``logits``, without gradient."""
        with torch.no_grad():
            return next_token_logits(_required(self.models.reference), self.tokens)

    @cached_property
    def helper_logits(self) -> Tensor:
        """Of the prerequisite's model, as ``logits``, without gradient."""
        with torch.no_grad():
            return next_token_logits(_required(self.models.helper), self.tokens)

    @cached_property
    def generic_logits(self) -> tuple[Tensor, Tensor]:
        """What the reference predicts in the generic texts, as ``logits``, and the loss places with a counterpart.

        Without a translation these are the reference's own logits, and every token has a counterpart.
        """
        if self.translation is None:
            return self.reference_logits, self.tokens.loss_places
        positions = self.translation.positions
        with torch.no_grad():
            logits = next_token_logits(_required(self.models.reference), self.translation.tokens)
        index = positions.clamp(min=0)[:, :, None].expand(-1, -1, logits.shape[2])
        return logits.gather(1, index), self.translation.loss_places

    def hidden(self, layer: int) -> Tensor:
        """Output of a layer (from 1) of the model, float32, (sequences, length - 1, width)."""
        return hidden_states(self.models.model, self.tokens, layer)

    def reference_hidden(self, layer: int) -> Tensor:
        """As ``hidden``, of the frozen reference, without gradient."""
        with torch.no_grad():
            return hidden_states(_required(self.models.reference), self.tokens, layer)

    def at_loss(self, values: Tensor) -> Tensor:
        """Of values for each next token, (sequences, length - 1, …), those where it bears loss: (loss tokens, …)."""
        return values.flatten(0, 1)[self.tokens.loss_places]

    @property
    def labels(self) -> Tensor:
        """The next tokens, int64, (sequences, length - 1); IGNORED where a token bears no loss."""
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
        return self.at_loss(each).sum() / self.loss_tokens

    def log_ratios(self) -> Tensor:
        """Log-likelihood of each sequence under the model minus that under the reference; (sequences,), in nats."""
        return sequence_log_likelihood(self.logits, self.labels) - sequence_log_likelihood(
            self.reference_logits, self.labels
        )


@dataclass(frozen=True)
class Step:
    """What an objective sees of one optimiser step.

    Attributes:
        number: the step's, from 0.
        data: a micro-batch of what is learned or unlearned.
        retain: a micro-batch of the retain set; None unless the method uses it.
        seed: the trajectory's, for what a method draws once.
    """

    number: int
    data: MicroBatch
    retain: MicroBatch | None = None
    seed: int = 0

    @property
    def the_retain(self) -> MicroBatch:
        """The retain data, for a method that declares ``uses_retain``."""
        if self.retain is None:
            raise TypeError("this step has no retain data: the method must declare uses_retain")
        return self.retain


class Objective(Protocol):
    """What is minimised."""

    def loss(self, step: Step) -> Tensor:
        """A scalar: this micro-batch's share of the batch's loss."""
        ...


class MaximumLikelihood:
    """Plain finetuning."""

    def loss(self, step: Step) -> Tensor:
        """The mean negative log-likelihood of the loss tokens."""
        return step.data.mean_nll()


def next_token_logits(model: PreTrainedModel, tokens: Tokens) -> Tensor:
    """Logits of each next token: float32, (sequences, length - 1, vocabulary)."""
    logits: Tensor = model(
        input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, use_cache=False
    ).logits
    return logits[:, :-1].float()


def sequence_log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-likelihood of each sequence, summed over its loss tokens; (sequences,), in nats.

    Args:
        logits: (sequences, length, vocabulary).
        labels: (sequences, length); IGNORED where a token bears no loss.
    """
    nll = functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return -nll.sum(1)


def hidden_states(model: PreTrainedModel, tokens: Tokens, layer: int) -> Tensor:
    """Output of a decoder layer, before a norm that follows the last one: float32, (sequences, length - 1, width).

    Args:
        layer: its number, from 1.
    """
    layers = next(
        module
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == model.config.num_hidden_layers
    )
    found: list[Tensor] = []

    def keep(module: torch.nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        found.append(output if isinstance(output, Tensor) else output[0])

    hook = layers[layer - 1].register_forward_hook(keep)
    try:
        model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, use_cache=False)
    finally:
        hook.remove()
    return found[0][:, :-1].to(tokens.input_ids.device).float()  # a layer may lie on another card


def _required(model: PreTrainedModel | None) -> PreTrainedModel:
    if model is None:
        raise TypeError(
            "this step has no such model: the method must declare uses_reference or a prerequisite"
        )
    return model
