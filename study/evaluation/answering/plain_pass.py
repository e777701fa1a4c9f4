"""What transformers itself says of one text: one pass without padding, mask and cache, to compare with."""

import torch
from torch import Tensor

from study.models.resident import Resident

TOLERANCE = {"float32": 1e-3, "mixed": 0.1, "bfloat16": 0.1}
"""The greatest difference of two likelihoods that counts as rounding, in nats per token; a family that is used in a
wrong way differs by more than the whole of it."""


def plain_logits(resident: Resident, ids: list[int]) -> Tensor:
    """Of every token of one text: float32, (length, vocabulary)."""
    with torch.inference_mode(), resident.autocast():
        logits: Tensor = resident.model(
            input_ids=torch.tensor([ids], device=resident.device), use_cache=False
        ).logits
    return logits[0].float()


def apart(ones: Tensor, others: Tensor) -> float:
    """The greatest difference of two likelihoods of a token, weighed by how likely it is, in nats."""
    one, other = ones.log_softmax(-1), others.log_softmax(-1)
    return float((other.exp() * (one - other).abs()).sum(-1).max())


def less_likely(resident: Resident, prompt: list[int], new: list[int]) -> tuple[int, int] | None:
    """The first of some greedy tokens that is not the most likely one in a plain pass, and the one that is.

    Tokens whose likelihoods differ by no more than rounding count as equally likely.
    """
    ids = list(prompt)
    for token in new:
        likely = plain_logits(resident, ids)[-1].log_softmax(0)
        if not float(likely.max() - likely[token]) <= 2 * TOLERANCE[resident.source.precision]:
            return token, int(likely.argmax())
        ids.append(token)
    return None
