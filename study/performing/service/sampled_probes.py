"""The probes of an evaluation, asked of a service by steps: tokens in, tokens out.

The likelihood of a target is read off the log-probabilities of a prompt that ends with it; its rank is not given.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from study.errors import DivergedError
from study.models.token_ids import split_text
from study.models.tokenizer import load_tokenizer
from study.performing.service.answer_row import answer_row
from study.performing.service.errors import ServiceRefusedError
from study.performing.service.protocol import Answers
from study.planning.stages import Embedded, Evaluation, Pretrained

Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def asked_by_tokens(ask: Ask, source: Pretrained | Embedded, evaluation: Evaluation) -> Answers:
    """Rows of answers, in the order of the probes.

    Args:
        ask: sends one request to sample, and gives its outcome.
        source: the model whose tokenizer is used.

    Raises:
        DivergedError: a likelihood is not a finite number.
    """
    tokenizer = load_tokenizer(source)
    rows: Answers = []
    for probe in evaluation.probes.probes:
        split = split_text(tokenizer, probe.prompt, f" {probe.target}")
        prompt, target = split.ids[: split.prompt], split.ids[split.prompt :]
        sequences = ask(_body(prompt, evaluation.generation.max_new_tokens)).get("sequences") or []
        if len(sequences) != 1:
            raise ServiceRefusedError(f"the service gave {len(sequences)} answers to one prompt")
        told = ask({**_body(prompt + target, 1), "prompt_logprobs": True}).get("prompt_logprobs")
        nll = _nll(told, len(prompt), len(prompt + target))
        if nll is not None and not math.isfinite(nll):
            raise DivergedError("diverged: the likelihood of a target is not a finite number")
        text = tokenizer.decode(sequences[0]["tokens"], skip_special_tokens=True)
        rows.append(answer_row(probe, str(text), nll, tokens=None if nll is None else len(target)))
    return rows


def _body(tokens: list[int], most: int) -> dict[str, Any]:
    return {
        "prompt": {"chunks": [{"type": "encoded_text", "tokens": tokens}]},
        "sampling_params": {"max_tokens": most, "temperature": 0.0},
    }


def _nll(told: Any, begin: int, end: int) -> float | None:
    """In nats; None where the service does not tell the log-probability of every token."""
    if not isinstance(told, list) or len(told) != end or any(each is None for each in told[begin:]):
        return None
    return -sum(float(each) for each in told[begin:])
