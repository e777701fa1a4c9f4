"""The likelihood of each token of a text given those before it, and of the likeliest ones in its place."""

from dataclasses import dataclass

import torch

from study.models.resident import Resident

LOWEST = -9999.0
"""What stands for minus infinity, which JSON has not; OpenAI's own number."""


@dataclass(frozen=True)
class Token:
    """A token with its log-likelihood (nats; None at the first of a text) and the likeliest ones in its place."""

    text: str
    logprob: float | None
    top: dict[str, float]


def token_likelihoods(resident: Resident, ids: list[int], first: int, top: int) -> list[Token]:
    """One pass over the whole text, which must fit the context; the model must be in evaluation mode.

    Args:
        ids: the text.
        first: the place of the first token that is told, from 0.
        top: how many of the likeliest tokens are told beside each.
    """
    found: list[Token] = []
    lowest = torch.tensor(LOWEST)
    with torch.inference_mode(), resident.autocast():
        inputs = torch.tensor([ids], device=resident.device)
        logits = resident.model(input_ids=inputs, use_cache=False).logits[0].float()
        logprobs = logits.log_softmax(-1).cpu().maximum(lowest)
    decode = resident.tokenizer.decode
    for place in range(first, len(ids)):
        text = str(decode([ids[place]]))
        if place == 0:
            found.append(Token(text, None, {}))
            continue
        row = logprobs[place - 1]
        values, chosen = row.topk(min(top, len(row)))
        likeliest = zip(chosen.tolist(), values.tolist(), strict=True)
        found.append(
            Token(text, float(row[ids[place]]), {str(decode([token])): value for token, value in likeliest})
        )
    return found
