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
class Translation:
    """A micro-batch in generic terms, beside the original.

    ``places`` has shape (sequences, length - 1) of the *original*: where in the generic text the counterpart
    of each predicted token is predicted, and -1 where there is none.
    """

    tokens: Tokens
    places: Tensor


@dataclass(frozen=True)
class Models:
    """What a step may look at.

    Attributes:
        model: the one that is trained.
        reference: frozen, as the trajectory found it; None unless the method uses it.
        helper: frozen, from the method's prerequisite stage; None where it has none.
    """

    model: PreTrainedModel
    reference: PreTrainedModel | None = None
    helper: PreTrainedModel | None = None


@dataclass(frozen=True)
class Half:
    """One of the two batches of a step, forget or retain: a micro-batch, and the size of the whole batch.

    What a frozen model says of it is computed once, when it is first asked for.

    Attributes:
        loss_tokens, sequences: of the whole batch, over all its micro-batches; what a mean divides by.
        translation: the same in generic terms, where the scenario has them.
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
            return next_token_logits(_there(self.models.reference), self.tokens)

    @cached_property
    def helper_logits(self) -> Tensor:
        """Of the prerequisite's model, as ``logits``, without gradient."""
        with torch.no_grad():
            return next_token_logits(_there(self.models.helper), self.tokens)

    @cached_property
    def generic_logits(self) -> tuple[Tensor, Tensor]:
        """What the reference predicts in generic terms, as ``logits``, and where it says something.

        Without a translation these are the reference's logits, which say something everywhere.
        """
        if self.translation is None:
            return self.reference_logits, torch.ones_like(self.labels, dtype=torch.bool)
        places = self.translation.places
        with torch.no_grad():
            logits = next_token_logits(_there(self.models.reference), self.translation.tokens)
        index = places.clamp(min=0)[:, :, None].expand(-1, -1, logits.shape[2])
        return logits.gather(1, index), places >= 0

    def hidden(self, layer: int) -> Tensor:
        """Output of a layer (from 1) of the model, float32, (sequences, length - 1, width)."""
        return hidden_states(self.models.model, self.tokens, layer)

    def reference_hidden(self, layer: int) -> Tensor:
        """As ``hidden``, of the frozen reference, without gradient."""
        with torch.no_grad():
            return hidden_states(_there(self.models.reference), self.tokens, layer)

    @property
    def bears_loss(self) -> Tensor:
        """Where the next token bears loss, bool, (sequences, length - 1)."""
        return self.labels != IGNORED

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
        return each[self.bears_loss].sum() / self.loss_tokens

    def log_ratios(self) -> Tensor:
        """Log p(sequence) of the model minus that of the reference, (sequences,), summed over tokens."""
        return sequence_log_likelihood(self.logits, self.labels) - sequence_log_likelihood(
            self.reference_logits, self.labels
        )


@dataclass(frozen=True)
class Step:
    """What an objective is given: the step's number from 0, its data, and its retain data if it has any.

    ``seed`` is the trajectory's, for what a method draws once.
    """

    number: int
    data: Half
    retain: Half | None = None
    seed: int = 0

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


def hidden_states(model: PreTrainedModel, tokens: Tokens, layer: int) -> Tensor:
    """float32, (sequences, length - 1, width): what layer ``layer`` (from 1) hands on, before any last norm."""
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
    return found[0][:, :-1].float()


def _there(model: PreTrainedModel | None) -> PreTrainedModel:
    if model is None:
        raise TypeError("this method did not ask for that model")
    return model
