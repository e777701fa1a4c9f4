"""Asking a model whose cache is no cache of tokens: recurrent and convolution layers, or a cache of its own.

Such a cache is one state over all tokens so far: padding stays in it, and no token can be taken off its end. So only
prompts of equal length are asked together, without padding; targets have a pass of their own, without a cache; and
the continuation goes on with whatever cache the model itself returned, or without one where it returns none.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from study.evaluation.answering.cached_passes import scored
from study.evaluation.answering.kv_cache import OF_TOKENS
from study.models.resident import Resident

WITHOUT_CACHE = ("rwkv", "xlstm")
"""Families whose cache transformers 5.23 itself uses wrongly, by their model_type: RWKV's mixes the rows of a batch,
and xLSTM's has the wrong shape (docs/MODELS.md). They are asked without one: a new token costs a pass over its text."""
CACHES = ("past_key_values", "cache_params", "state")
"""What families call the cache that they take and return."""


def caches_tokens(model: PreTrainedModel) -> bool:
    """Whether the model takes transformers' own cache, and every layer of it caches token by token."""
    if "past_key_values" not in _arguments(type(model).forward):
        return False
    return all(type(layer) in OF_TOKENS for layer in DynamicCache(config=model.config).layers)


def answer_equal_lengths(
    resident: Resident, prompts: list[list[int]], targets: list[list[int]], max_new_tokens: int
) -> tuple[list[list[int]], Tensor, Tensor]:
    """New token ids of prompts of equal length, and the targets' NLL (nats) and rank, both of shape (prompts,)."""
    nll, rank = _target_scores(resident, prompts, targets)
    ends = torch.tensor(resident.end_ids, dtype=torch.int64, device=resident.device)
    ids = torch.tensor(prompts, device=resident.device)
    fed, state = ids, dict[str, Any]()
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=resident.device)
    for _ in range(max_new_tokens):
        logits, state = _forward(resident, fed, state, ids.shape[1])
        token = logits.argmax(1)[:, None]
        ids = torch.cat([ids, token], dim=1)
        ended = ended | torch.isin(token[:, 0], ends)
        if bool(ended.all()):
            break
        fed = token if state else ids
    new = ids[:, len(prompts[0]) :].tolist()
    return [_up_to_the_end(row, resident.end_ids) for row in new], nll, rank


def _up_to_the_end(ids: list[int], ends: tuple[int, ...]) -> list[int]:
    first = next((at for at, token in enumerate(ids) if token in ends), len(ids) - 1)
    return ids[: first + 1]


def _forward(
    resident: Resident, fed: Tensor, state: dict[str, Any], length: int
) -> tuple[Tensor, dict[str, Any]]:
    """Logits of the next token, float32, (prompts, vocabulary), and the model's cache under the name it gives it.

    Args:
        fed: the last tokens of the texts so far: all where there is no cache.
        length: how many tokens the texts have. The places of the last ones are said, since a model whose first layer
            is recurrent counts what it has cached as none.
    """
    known = _arguments(type(resident.model).forward)
    places: dict[str, Any] = {}
    if "position_ids" in known:
        places["position_ids"] = torch.arange(length - fed.shape[1], length, device=fed.device).expand_as(fed)
    cached = resident.model.config.model_type not in WITHOUT_CACHE
    found = resident.model(input_ids=fed, use_cache=cached, **places, **state)
    returned = {name: found.get(name) for name in CACHES if cached and name in known}
    return found.logits[:, -1].float(), {name: cache for name, cache in returned.items() if cache is not None}


def _target_scores(
    resident: Resident, prompts: list[list[int]], targets: list[list[int]]
) -> tuple[Tensor, Tensor]:
    """One pass over prompts and targets; what pads the shorter targets stands behind all that is scored."""
    longest = max(len(ids) for ids in targets)
    padded = [[*ids, *[resident.pad_id] * (longest - len(ids))] for ids in targets]
    rows = [[*prompt, *target] for prompt, target in zip(prompts, padded, strict=True)]
    input_ids = torch.tensor(rows, device=resident.device)
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in targets])
    logits: Tensor = resident.model(input_ids=input_ids, use_cache=False).logits
    return scored(logits[:, -longest - 1 : -1].float(), input_ids[:, -longest:], mask.to(resident.device))


@lru_cache(maxsize=8)
def _arguments(forward: Callable[..., Any]) -> frozenset[str]:
    """The names of the arguments that a model's forward pass takes."""
    return frozenset(inspect.signature(forward).parameters)
