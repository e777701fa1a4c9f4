"""Answering all probes with few large batches: the greedy continuation of each, its target's likelihood and rank.

The forward pass over a prompt is shared. Its KV cache first takes the target in (likelihood, rank), is cropped back,
and then takes in the greedy continuation. Probes are sorted by the length of their prompts. A few prompts of similar
length are read in one pass, and the continuations of a whole batch are decoded together. A model whose cache is no
cache of tokens is asked in another way, see ``state_passes``.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import PreTrainedTokenizerBase

from study.errors import DivergedError
from study.evaluation.answering.cached_passes import PromptPass, greedy_tokens, read_prompts
from study.evaluation.answering.cast_once import cast_once
from study.evaluation.answering.kv_cache import concatenated
from study.evaluation.answering.state_passes import answer_equal_lengths, caches_tokens
from study.models.devices.attention_mask import keeps_every_token
from study.models.resident import Resident
from study.models.token_ids import split_text
from study.text.examples import Probe, ProbeSet

EncodedProbe = tuple[int, list[int], list[int]]
"""A probe's index, its prompt and its target in tokens."""
Answer = tuple[list[int], float, int]
"""The new token ids of a prompt, and its target's NLL (nats) and rank."""
PROMPTS_AT_ONCE = 16
"""Prompts that a CPU reads in one forward pass. Fewer than are decoded together: prompts differ in length and padding
is computed too, while each new token is one for every row.
"""


@dataclass(frozen=True)
class ProbeAnswer:
    """What a model made of one probe.

    Attributes:
        completion: the greedy continuation, decoded without special tokens.
        target_nll: negative log-likelihood of the target given the prompt, in nats, summed over its tokens.
        target_rank: 1 + the number of tokens more likely than the target's; the largest over the target's tokens.
        target_tokens: how many tokens the target has.
    """

    probe: Probe
    completion: str
    target_nll: float
    target_rank: int
    target_tokens: int

    def row(self) -> dict[str, str | float | int]:
        """A row of ``answers_file``: what the model made, and the probe's name."""
        return {
            "probe": self.probe.name,
            "completion": self.completion,
            "target_nll": self.target_nll,
            "target_rank": self.target_rank,
            "target_tokens": self.target_tokens,
        }


def answer_probes(
    resident: Resident, probes: ProbeSet, max_new_tokens: int, batch_size: int
) -> list[ProbeAnswer]:
    """The answers in the order of the probes; the model must be in evaluation mode.

    Args:
        max_new_tokens: the longest continuation, in tokens.
        batch_size: prompts that are decoded together. Execution, not identity.

    Raises:
        DivergedError: a likelihood is not finite. Such a model says nothing, which is not a rate of 0.
    """
    encoded = _encoded(resident.tokenizer, probes)
    answers: dict[int, ProbeAnswer] = {}
    for (index, _, target), (new, nll, rank) in zip(
        encoded, _answers(resident, encoded, max_new_tokens, batch_size), strict=True
    ):
        completion = resident.tokenizer.decode(new, skip_special_tokens=True)
        answers[index] = ProbeAnswer(probes.probes[index], str(completion), nll, rank, len(target))
    return [answers[index] for index in range(len(encoded))]


def answer_ids(
    resident: Resident,
    prompts: list[list[int]],
    targets: list[list[int]],
    max_new_tokens: int,
    batch_size: int,
) -> list[Answer]:
    """As ``answer_probes``, of token ids: the answers in the order of the prompts."""
    encoded = _by_length((index, *each) for index, each in enumerate(zip(prompts, targets, strict=True)))
    found = zip(encoded, _answers(resident, encoded, max_new_tokens, batch_size), strict=True)
    return [answer for _, answer in sorted(found, key=lambda each: each[0][0])]


def _answers(
    resident: Resident, encoded: list[EncodedProbe], max_new_tokens: int, batch_size: int
) -> list[Answer]:
    """The answers in the order of ``encoded``, which is sorted by length."""
    found: list[Answer] = []
    with torch.inference_mode(), resident.autocast(), _without_gradients(resident), cast_once(resident):
        for batch in _batches(encoded, batch_size, equal_length=not caches_tokens(resident.model)):
            prompts = [ids for _, ids, _ in batch]
            targets = [ids for _, _, ids in batch]
            new, nll, rank = _answer_batch(resident, prompts, targets, max_new_tokens)
            if not bool(torch.isfinite(nll).all()):
                raise DivergedError("diverged: the likelihood of a target is not a finite number")
            found += zip(new, nll.tolist(), rank.tolist(), strict=True)
    return found


def _batches(
    encoded: list[EncodedProbe], batch_size: int, *, equal_length: bool
) -> Iterator[list[EncodedProbe]]:
    """Consecutive probes, sorted by the length of their prompts; with ``equal_length``, each batch has one length."""
    groups = (
        [list(group) for _, group in groupby(encoded, lambda each: len(each[1]))]
        if equal_length
        else [encoded]
    )
    for group in groups:
        for start in range(0, len(group), batch_size):
            yield group[start : start + batch_size]


@contextmanager
def _without_gradients(resident: Resident) -> Iterator[None]:
    """No weight requires a gradient. Torch chooses its kernels by that even in inference mode, and a model that trains
    an adapter would differ in the last bit from the plain one with the same weights.
    """
    trained = [parameter for parameter in resident.model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@lru_cache(maxsize=8)
def _encoded(tokenizer: PreTrainedTokenizerBase, probes: ProbeSet) -> list[EncodedProbe]:
    """Each probe's index, prompt and target in tokens, the shortest prompts first; the same at every checkpoint."""
    encoded = []
    for index, probe in enumerate(probes.probes):
        split = split_text(tokenizer, probe.prompt, f" {probe.target}")
        encoded.append((index, split.ids[: split.prompt], split.ids[split.prompt :]))
    return _by_length(encoded)


def _by_length(encoded: Iterable[EncodedProbe]) -> list[EncodedProbe]:
    return sorted(encoded, key=lambda item: (len(item[1]), item[0]))


def _answer_batch(
    resident: Resident, prompts: list[list[int]], targets: list[list[int]], max_new_tokens: int
) -> tuple[list[list[int]], Tensor, Tensor]:
    """New token ids, and the targets' NLL (nats) and rank, both of shape (prompts,)."""
    if not caches_tokens(resident.model):
        return answer_equal_lengths(resident, prompts, targets, max_new_tokens)
    config = resident.model.config
    # A GPU computes the padding of a whole batch in the time of a few rows, and each pass costs it a thousand launches.
    apart = resident.device.type == "cpu" and keeps_every_token(config)
    few = PROMPTS_AT_ONCE if apart else len(prompts)
    passes = [
        read_prompts(resident, prompts[at : at + few], targets[at : at + few], max_new_tokens)
        for at in range(0, len(prompts), few)
    ]
    nll, rank = torch.cat([each.nll for each in passes]), torch.cat([each.rank for each in passes])
    longest = max(each.mask.shape[1] for each in passes)
    cache = concatenated(config, [each.cache for each in passes], longest + max_new_tokens - 1)
    whole = PromptPass(
        mask=torch.cat([pad(each.mask, (longest - each.mask.shape[1], 0)) for each in passes]),
        next_logits=torch.cat([each.next_logits for each in passes]),
        cache=cache,
        nll=nll,
        rank=rank,
    )
    return greedy_tokens(resident, whole, max_new_tokens), nll, rank
