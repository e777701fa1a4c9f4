"""The probes of an evaluation, asked of a service, and what of the answers' numbers it gives.

`relearn serve` takes the targets and gives their likelihood and rank as a study computes them. Elsewhere they are read
off the log-probabilities of an echoed prompt, where a service gives those: the likelihood where a token begins with the
target, the rank where the target's tokens are among the likeliest that are told. What is not given is None.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from study.performing.service.answer_row import answer_row
from study.performing.service.calls import Calls
from study.performing.service.errors import ServiceRefusedError
from study.performing.service.protocol import Answers, Dialect
from study.planning.stages import Evaluation
from study.text.examples import Probe

PROMPTS = 16
"""Prompts in one request to a service that is not ours; the most that is taken everywhere."""
TOP = 5
"""The likeliest tokens that are asked for; OpenAI gives no more."""
PART = "\N{REPLACEMENT CHARACTER}"
"""A token that holds a part of a character is told so: many have this one text."""


def asked_by_text(calls: Calls, dialect: Dialect, model: str, evaluation: Evaluation) -> Answers:
    """By completions of prompts."""
    probes, most = evaluation.probes.probes, evaluation.generation.max_new_tokens
    known = calls.get(f"/models/{model}") or {}
    if known.get("answers_targets"):
        body = {
            "model": model,
            "prompt": [probe.prompt for probe in probes],
            "targets": [f" {probe.target}" for probe in probes],
            "max_tokens": most,
            "temperature": 0,
        }
        choices = _in_order(calls.post("/completions", body), len(probes))
        return [
            answer_row(probe, choice["text"], **choice["target"])
            for probe, choice in zip(probes, choices, strict=True)
        ]
    rows: Answers = []
    for some in _parts(probes):
        prompts = [probe.prompt for probe in some]
        body = {"model": model, "prompt": prompts, "max_tokens": most, "temperature": 0}
        texts = _in_order(calls.post("/completions", body), len(some))
        scores = _scores(calls, dialect, model, some)
        rows += [
            answer_row(each, text["text"], **score)
            for each, text, score in zip(some, texts, scores, strict=True)
        ]
    return rows


def asked_by_conversation(calls: Calls, model: str, evaluation: Evaluation) -> Answers:
    """By one message each; no likelihood of a target can be asked."""
    rows: Answers = []
    for probe in evaluation.probes.probes:
        body = {
            "model": model,
            "messages": [{"role": "user", "content": probe.prompt}],
            "max_tokens": evaluation.generation.max_new_tokens,
            "temperature": 0,
        }
        (choice,) = _in_order(calls.post("/chat/completions", body), 1)
        rows.append(answer_row(probe, choice["message"]["content"] or ""))
    return rows


def _in_order(answer: Mapping[str, Any], count: int) -> list[Mapping[str, Any]]:
    choices = sorted(answer.get("choices") or [], key=lambda each: int(each["index"]))
    if len(choices) != count:
        raise ServiceRefusedError(f"the service gave {len(choices)} answers to {count} prompts")
    if [int(each["index"]) for each in choices] != list(range(count)):
        raise ServiceRefusedError("the service does not tell which answer belongs to which prompt")
    return choices


def _parts(probes: Sequence[Probe]) -> Iterator[Sequence[Probe]]:
    for start in range(0, len(probes), PROMPTS):
        yield probes[start : start + PROMPTS]


def _scores(calls: Calls, dialect: Dialect, model: str, probes: Sequence[Probe]) -> list[dict[str, Any]]:
    """By the echo of prompt and target; nothing where the service echoes none."""
    body = {
        "model": model,
        "prompt": [f"{probe.prompt} {probe.target}" for probe in probes],
        "max_tokens": 1,
        "temperature": 0,
        "echo": True,
        "logprobs": TOP,
    }
    try:
        answer = calls.post("/completions", body)
        choices = _in_order(answer, len(probes))
    except ServiceRefusedError:
        return [{} for _ in probes]
    return [
        _score(probe, dialect.prompt_tokens(choice, answer, index))
        for index, (probe, choice) in enumerate(zip(probes, choices, strict=True))
    ]


def _score(probe: Probe, told: Any) -> dict[str, Any]:
    """Of one target; empty where no token begins where the target does."""
    tokens, logprobs = (told or {}).get("tokens"), (told or {}).get("token_logprobs")
    if not tokens or not logprobs:
        return {}
    begin, end = len(probe.prompt), len(probe.prompt) + 1 + len(probe.target)
    # Characters of a begin token, which is no part of the text; below 0 where tokens hold parts of characters.
    shift = "".join(map(str, tokens)).find(f"{probe.prompt} {probe.target}")
    offsets = told.get("text_offset") or (_offsets(tokens) if shift >= 0 else [])
    shift = max(0, shift)
    places = [at for at, offset in enumerate(offsets) if begin <= offset - shift < end]
    if not places or offsets[places[0]] - shift != begin or any(logprobs[at] is None for at in places):
        return {}
    top = told.get("top_logprobs") or [None] * len(tokens)
    return {
        "nll": -sum(float(logprobs[at]) for at in places),
        "rank": _rank([(str(tokens[at]), float(logprobs[at]), top[at]) for at in places]),
        "tokens": len(places),
    }


def _rank(told: Sequence[tuple[str, float, Mapping[str, float] | None]]) -> int | None:
    """The largest rank over the tokens; None where one is not among the likeliest that were told, or alike in text."""
    ranks = []
    for token, logprob, top in told:
        if not top or token not in top or PART in "".join((token, *top)):
            return None
        ranks.append(1 + sum(float(other) > logprob for other in top.values()))
    return max(ranks)


def _offsets(tokens: Sequence[str]) -> list[int]:
    found, place = [], 0
    for token in tokens:
        found.append(place)
        place += len(token)
    return found
