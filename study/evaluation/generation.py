"""Asking all probes of a model in few large batches: continuations, and the target's likelihood and rank.

The prompt's forward pass is shared: its cache first carries the target (likelihood, rank), is cropped back,
and then carries the greedy continuation. Prompts are sorted by length and padded on the left; a few of similar
length are read at a time, and all of a batch continued together; rows that have ended leave it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedTokenizerBase

from study.errors import DivergedError
from study.evaluation.kv_cache import cache_for, joined, joins
from study.models.resident import Resident
from study.text import Probe, ProbeSet

PROMPTS_AT_ONCE = 16
"""Prompts that are read in one forward pass. Fewer than are continued together: they differ in length, and what fills
up the short ones is computed too, while a new token is one for each.
"""
STAYING = 0.75
"""A batch is made smaller when no more than this share of its rows goes on: making it so copies the cache."""


@dataclass(frozen=True)
class Answer:
    """What a model made of one probe.

    Attributes:
        completion: the greedy continuation, decoded without special tokens.
        target_nll: negative log-likelihood of the target given the prompt, in nats, summed over tokens.
        target_rank: 1 + the number of tokens more likely than the target's, at its worst-placed token.
    """

    probe: Probe
    completion: str
    target_nll: float
    target_rank: int
    target_tokens: int

    def row(self) -> dict[str, str | float | int]:
        """As it is stored: what the model made, and the probe's name."""
        return {
            "probe": self.probe.name,
            "completion": self.completion,
            "target_nll": self.target_nll,
            "target_rank": self.target_rank,
            "target_tokens": self.target_tokens,
        }


def ask(resident: Resident, probes: ProbeSet, max_new_tokens: int, batch_size: int) -> list[Answer]:
    """Answers in the order of the probes; the model must be in evaluation mode.

    Raises:
        DivergedError: a likelihood is not finite. Such a model says nothing, which is not a rate of 0.
    """
    encoded = _encoded(resident.tokenizer, probes)
    answers: dict[int, Answer] = {}
    with torch.inference_mode(), resident.computing(), _frozen(resident):
        for start in range(0, len(encoded), batch_size):
            batch = encoded[start : start + batch_size]
            prompts = [ids for _, ids, _ in batch]
            targets = [ids for _, _, ids in batch]
            completions, nll, rank = _answer_batch(resident, prompts, targets, max_new_tokens)
            if not bool(torch.isfinite(nll).all()):
                raise DivergedError("diverged: the likelihood of a target is not a finite number")
            for row, (index, _, _) in enumerate(batch):
                answers[index] = Answer(
                    probes.probes[index], completions[row], float(nll[row]), int(rank[row]), len(targets[row])
                )
    return [answers[index] for index in range(len(encoded))]


@contextmanager
def _frozen(resident: Resident) -> Iterator[None]:
    """No weight asks for a gradient: torch picks its kernels by that, even where none is computed, and a
    model on an adapter would differ in the last bit from the plain one with the same weights.
    """
    asking = [parameter for parameter in resident.model.parameters() if parameter.requires_grad]
    for parameter in asking:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


@lru_cache(maxsize=8)
def _encoded(tokenizer: PreTrainedTokenizerBase, probes: ProbeSet) -> list[tuple[int, list[int], list[int]]]:
    """Each probe's index, prompt and target in tokens, the shortest prompts first; the same at every checkpoint."""
    encoded = []
    for index, probe in enumerate(probes.probes):
        prompt = list(tokenizer(probe.prompt)["input_ids"])
        encoded.append((index, prompt, _target_ids(tokenizer, prompt, probe)))
    return sorted(encoded, key=lambda item: (len(item[1]), item[0]))


def _target_ids(tokenizer: PreTrainedTokenizerBase, prompt: list[int], probe: Probe) -> list[int]:
    """The target's tokens as they follow the prompt: one blank between, which many tokenizers absorb."""
    whole = list(tokenizer(f"{probe.prompt} {probe.target}")["input_ids"])
    if whole[: len(prompt)] == prompt and len(whole) > len(prompt):
        return whole[len(prompt) :]
    # The tokenizer merges across the blank: tokenise the target by itself.
    return list(tokenizer(f" {probe.target}", add_special_tokens=False)["input_ids"])


@dataclass(frozen=True)
class _Read:
    """A few prompts, read: their mask, logits of what comes next, the cache, and how the targets are rated."""

    mask: Tensor
    first: Tensor
    cache: DynamicCache
    nll: Tensor
    rank: Tensor


def _answer_batch(
    resident: Resident, prompts: list[list[int]], targets: list[list[int]], max_new_tokens: int
) -> tuple[list[str], Tensor, Tensor]:
    config = resident.model.config
    few = PROMPTS_AT_ONCE if joins(config) else len(prompts)
    read = [
        _read(resident, prompts[at : at + few], targets[at : at + few], max_new_tokens)
        for at in range(0, len(prompts), few)
    ]
    nll, rank = torch.cat([part.nll for part in read]), torch.cat([part.rank for part in read])
    first = torch.cat([part.first for part in read])
    longest = max(part.mask.shape[1] for part in read)
    mask = torch.cat([pad(part.mask, (longest - part.mask.shape[1], 0)) for part in read])
    cache = joined(config, [part.cache for part in read], longest + max_new_tokens - 1)
    new = _greedy(resident, first, mask, cache, max_new_tokens)
    return resident.tokenizer.batch_decode(new, skip_special_tokens=True), nll, rank


def _read(
    resident: Resident, prompts: list[list[int]], targets: list[list[int]], max_new_tokens: int
) -> _Read:
    longest = max(len(ids) for ids in prompts)
    input_ids = torch.full((len(prompts), longest), resident.pad, dtype=torch.int64)
    mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(prompts):
        input_ids[row, longest - len(ids) :] = torch.tensor(ids)
        mask[row, longest - len(ids) :] = 1
    input_ids, mask = input_ids.to(resident.device), mask.to(resident.device)
    carried = max(len(ids) for ids in targets) - 1
    cache = cache_for(resident.model.config, longest + max(carried, max_new_tokens - 1))
    first = _forward(resident, input_ids, mask, cache)[:, -1]
    nll, rank = _target_scores(resident, first, targets, mask, cache)
    if carried:
        cache.crop(-carried)  # a negative number takes that many tokens off the end
    return _Read(mask, first, cache, nll, rank)


def _forward(
    resident: Resident, input_ids: Tensor, mask: Tensor, cache: DynamicCache, keep: int = 1
) -> Tensor:
    """Logits, float32, of the last ``keep`` positions; ``mask`` covers the cache and the input."""
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
    logits: Tensor = resident.model(
        input_ids=input_ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=keep,
    ).logits
    return logits.float()


def _target_scores(
    resident: Resident, first: Tensor, targets: list[list[int]], mask: Tensor, cache: DynamicCache
) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood (nats) and worst rank of each target; both of shape (prompts,)."""
    longest = max(len(ids) for ids in targets)
    wanted = torch.full((len(targets), longest), resident.pad, dtype=torch.int64)
    real = torch.zeros_like(wanted)
    for row, ids in enumerate(targets):
        wanted[row, : len(ids)] = torch.tensor(ids)
        real[row, : len(ids)] = 1
    wanted, real = wanted.to(resident.device), real.to(resident.device)
    logits = first[:, None]
    if longest > 1:
        inputs = wanted[:, :-1]
        carried = torch.cat([mask, real[:, :-1]], dim=1)
        rest = _forward(resident, inputs, carried, cache, keep=longest - 1)
        logits = torch.cat([logits, rest], dim=1)
    chosen = logits.gather(2, wanted[:, :, None])
    nll = (logits.logsumexp(2) - chosen[:, :, 0]) * real
    rank = ((logits > chosen).sum(2) + 1) * real
    return nll.sum(1).cpu(), rank.amax(1).cpu()


def _greedy(
    resident: Resident, first: Tensor, mask: Tensor, cache: DynamicCache, max_new_tokens: int
) -> list[list[int]]:
    """The new token ids of each prompt, at most ``max_new_tokens``; an end token is the last."""
    ends = torch.tensor(_end_ids(resident), dtype=torch.int64, device=resident.device)
    rows = torch.arange(len(first), device=resident.device)
    new = torch.full((len(first), max_new_tokens), resident.pad, device=resident.device)
    length = torch.full_like(rows, max_new_tokens)
    ended = torch.zeros_like(rows, dtype=torch.bool)
    logits = first
    for at in range(max_new_tokens):
        token = logits.argmax(1)
        new[rows, at] = token
        ends_here = torch.isin(token, ends) & ~ended
        length[rows[ends_here]] = at + 1
        ended = ended | ends_here
        going = len(rows) - int(ended.sum())
        if going == 0 or at + 1 == max_new_tokens:
            break
        if going <= STAYING * len(rows):
            stay = (~ended).nonzero()[:, 0]
            cache.batch_select_indices(stay)
            rows, mask, token, ended = rows[stay], mask[stay], token[stay], ended[stay]
        mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
        logits = _forward(resident, token[:, None], mask, cache)[:, -1]
    return [row[:count] for row, count in zip(new.tolist(), length.tolist(), strict=True)]


def _end_ids(resident: Resident) -> list[int]:
    """The tokens that end a text, as the model's generation settings or its tokenizer name them."""
    configured = getattr(resident.model.generation_config, "eos_token_id", None)
    if configured is None:
        configured = resident.tokenizer.eos_token_id
    if configured is None:
        return []
    return list(configured) if isinstance(configured, list) else [int(configured)]
