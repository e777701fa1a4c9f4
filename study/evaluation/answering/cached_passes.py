"""Forward passes over a KV cache: prompts with their targets, then greedy decoding.

Prompts are left-padded, so that every row's next token stands in the same column; targets are right-padded. Masked
positions change no number but rounding.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from study.evaluation.answering.kv_cache import empty_cache
from study.models.devices.attention_mask import ready_mask
from study.models.resident import Resident

ROWS_KEPT = 0.75
"""Rows that have ended leave a batch when no more than this share of it continues: removing them copies the cache."""

LOOK_EVERY = {"cpu": 1}
LOOK_EVERY_ELSEWHERE = 8
"""New tokens between two looks at whether all rows have ended, by kind of device: a GPU waits for nobody until then."""


@dataclass(frozen=True)
class PromptPass:
    """Some prompts after their forward pass.

    Attributes:
        mask: attention mask of the left-padded prompts, int64, (prompts, length).
        next_logits: of the token after each prompt, float32, (prompts, vocabulary).
        cache: keys and values of the prompts.
        nll: negative log-likelihood of each target, in nats, on the CPU, (prompts,).
        rank: the largest rank (from 1) over the tokens of each target, on the CPU, (prompts,).
    """

    mask: Tensor
    next_logits: Tensor
    cache: DynamicCache
    nll: Tensor
    rank: Tensor


def read_prompts(
    resident: Resident, prompts: list[list[int]], targets: list[list[int]], max_new_tokens: int
) -> PromptPass:
    """One forward pass over some prompts, and one over their targets.

    Args:
        prompts, targets: token ids, at least one each.
        max_new_tokens: for how many the cache has capacity beside the prompts.
    """
    longest = max(len(ids) for ids in prompts)
    input_ids = torch.full((len(prompts), longest), resident.pad_id, dtype=torch.int64)
    mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(prompts):
        input_ids[row, longest - len(ids) :] = torch.tensor(ids)
        mask[row, longest - len(ids) :] = 1
    input_ids, mask = input_ids.to(resident.device), mask.to(resident.device)
    target_inputs = max(len(ids) for ids in targets) - 1
    cache = empty_cache(resident.model.config, longest + max(target_inputs, max_new_tokens - 1))
    next_logits = _forward(resident, input_ids, mask, cache)[:, -1]
    nll, rank = _target_scores(resident, next_logits, targets, mask, cache)
    if target_inputs:
        cache.crop(-target_inputs)  # a negative number takes that many tokens off the end
    return PromptPass(mask, next_logits, cache, nll, rank)


def greedy_tokens(resident: Resident, prompts: PromptPass, max_new_tokens: int) -> list[list[int]]:
    """The new token ids of each prompt, at most ``max_new_tokens``; an end token is the last. Uses the cache up."""
    mask, cache, logits = prompts.mask, prompts.cache, prompts.next_logits
    ends = torch.tensor(resident.end_ids, dtype=torch.int64, device=resident.device)
    rows = torch.arange(len(logits), device=resident.device)
    new = torch.full((len(logits), max_new_tokens), resident.pad_id, device=resident.device)
    ended = torch.zeros_like(rows, dtype=torch.bool)
    look_every = LOOK_EVERY.get(resident.device.type, LOOK_EVERY_ELSEWHERE)
    for at in range(max_new_tokens):
        token = logits.argmax(1)
        new[rows, at] = token
        ended = ended | torch.isin(token, ends)
        if at + 1 == max_new_tokens:
            break
        if (at + 1) % look_every == 0:
            continuing = len(rows) - int(ended.sum())
            if continuing == 0:
                break
            if continuing <= ROWS_KEPT * len(rows):
                kept = (~ended).nonzero()[:, 0]
                cache.batch_select_indices(kept.cpu())  # its layers may lie on several cards
                rows, mask, token, ended = rows[kept], mask[kept], token[kept], ended[kept]
        mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
        logits = _forward(resident, token[:, None], mask, cache)[:, -1]
    return [_up_to_the_end(row, resident.end_ids) for row in new.tolist()]


def _up_to_the_end(tokens: list[int], ends: tuple[int, ...]) -> list[int]:
    return tokens[: next((at + 1 for at, token in enumerate(tokens) if token in ends), len(tokens))]


def _forward(
    resident: Resident, input_ids: Tensor, mask: Tensor, cache: DynamicCache, keep: int = 1
) -> Tensor:
    """Logits, float32, of the last ``keep`` positions; ``mask`` covers the cache and the input."""
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
    logits: Tensor = resident.model(
        input_ids=input_ids,
        attention_mask=ready_mask(resident.model, mask, input_ids.shape[1]),
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=keep,
    ).logits
    return logits.float()


def _target_scores(
    resident: Resident, next_logits: Tensor, targets: list[list[int]], mask: Tensor, cache: DynamicCache
) -> tuple[Tensor, Tensor]:
    """NLL (nats) and largest rank of each target; both of shape (prompts,). All but its last token enter the cache."""
    longest = max(len(ids) for ids in targets)
    target_ids = torch.full((len(targets), longest), resident.pad_id, dtype=torch.int64)
    target_mask = torch.zeros_like(target_ids)
    for row, ids in enumerate(targets):
        target_ids[row, : len(ids)] = torch.tensor(ids)
        target_mask[row, : len(ids)] = 1
    target_ids, target_mask = target_ids.to(resident.device), target_mask.to(resident.device)
    logits = next_logits[:, None]
    if longest > 1:
        whole_mask = torch.cat([mask, target_mask[:, :-1]], dim=1)
        rest = _forward(resident, target_ids[:, :-1], whole_mask, cache, keep=longest - 1)
        logits = torch.cat([logits, rest], dim=1)
    return scored(logits, target_ids, target_mask)


def scored(logits: Tensor, target_ids: Tensor, target_mask: Tensor) -> tuple[Tensor, Tensor]:
    """NLL (nats) and largest rank (from 1) of each target, on the CPU, both of shape (prompts,).

    Args:
        logits: that predict the targets' tokens, float32, (prompts, tokens, vocabulary).
        target_ids, target_mask: (prompts, tokens), int64; the mask is 0 behind a shorter target.
    """
    chosen = logits.gather(2, target_ids[:, :, None])
    nll = (logits.logsumexp(2) - chosen[:, :, 0]) * target_mask
    rank = ((logits > chosen).sum(2) + 1) * target_mask
    return nll.sum(1).cpu(), rank.amax(1).cpu()
