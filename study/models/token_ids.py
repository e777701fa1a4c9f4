"""Texts as token ids: one encoding of the whole text, split where its prompt ends.

What is asked must be, token by token, the beginning of what was learned. So a prompt is never encoded by itself:
prompt and continuation are encoded together, and the tokens' places in the text tell where the prompt ends. A blank
before the continuation belongs to the continuation, as most tokenizers have it.

A tokenizer may put special tokens around every text. Those in front stay, once: a template that writes the begin
token itself gets no second one. Those behind are taken off: they would stand between a prompt and its continuation.
A text that ends gets one end token, the first of ``end_ids``.

Deliberately absent: a text whose prompt and continuation share a token is refused, not guessed at.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tokenizers.models import BPE
from transformers import PreTrainedTokenizerBase

from study.errors import PreflightError

RARE = "\u16a0\u10a0\u3400\U0001e900"
"""Letters of which a tokenizer that leaves any out leaves some out: runes, old Georgian, rare Chinese, Adlam."""


@dataclass(frozen=True)
class TokenIds:
    """The token ids of a text.

    Attributes:
        ids: of prompt and continuation, without end token.
        prompt: how many of them belong to the prompt, special tokens in front included.
    """

    ids: list[int]
    prompt: int


def split_text(tokenizer: PreTrainedTokenizerBase, prompt: str, continuation: str) -> TokenIds:
    """Encodes ``prompt + continuation`` and says where the continuation begins.

    Args:
        prompt: may be empty; then only the special tokens in front are prompt.
        continuation: with the blank before it, if there is one.

    Raises:
        PreflightError: a token reaches across the border, so that no sequence of tokens ends where the prompt does.
    """
    text = prompt + continuation
    if not tokenizer.is_fast:
        return _without_offsets(tokenizer, prompt, text)
    if prompt and (gone := _left_out_by_model(tokenizer, text)):
        raise PreflightError(
            f"the tokenizer has no token for {gone[0]!r} in {text[-60:]!r} and leaves it out, so that it cannot tell "
            "where the prompt ends; take a model whose tokenizer knows it, or take the text out of the data"
        )
    encoded = _encoded(tokenizer, text, return_offsets_mapping=True, return_special_tokens_mask=True)
    ids, offsets = list(encoded["input_ids"]), list(encoded["offset_mapping"])
    front, behind = _added(list(encoded["special_tokens_mask"]))
    written = _written_again(ids[: len(ids) - behind], front)
    if any(after[0] < before[0] for before, after in pairwise(offsets[front : len(ids) - behind])):
        raise PreflightError(
            f"the tokenizer puts the text {text[-60:]!r} into its tokens twice, or in another order (post_processor in "
            "tokenizer.json); take a model whose tokenizer keeps the order of a text"
        )
    front -= written  # the text writes these special tokens itself
    del ids[front : front + written], offsets[front : front + written]
    end = len(ids) - behind
    border = front
    while border < end and offsets[border][1] <= len(prompt):
        border += 1
    if (
        border < end
        and _takes_blanks_behind(tokenizer, ids[border])
        and not text[len(prompt) : offsets[border][1]].strip()
    ):
        border += 1  # a special token of the prompt's end, which swallows the blanks that follow it
    if border < end and text[offsets[border][0] : len(prompt)].strip():
        shared = text[offsets[border][0] : offsets[border][1]]
        raise PreflightError(
            f"the tokenizer makes one token of {shared!r}, which lies on both sides of where the prompt "
            f"{prompt[-30:]!r} ends; put a blank or a line break there (scenario.template), or ask elsewhere"
        )
    return TokenIds(ids[:end], border if prompt else front)


def _written_again(ids: list[int], front: int) -> int:
    """How many of the special tokens in front the text writes itself: the longest end of them that comes again."""
    return next(
        (count for count in range(front, 0, -1) if ids[front - count : front] == ids[front : front + count]),
        0,
    )


def _takes_blanks_behind(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    added = getattr(tokenizer, "added_tokens_decoder", {}).get(token)
    return added is not None and bool(added.rstrip)


def unknown_pieces(tokenizer: PreTrainedTokenizerBase, text: str, start: int = 0) -> list[str]:
    """The pieces of a text, from a character on, that the tokenizer has no token for.

    It makes its unknown token of them, or leaves them out. The unknown token's own name in a text is no such piece:
    GPT-2's is its end token.
    """
    unknown, name = tokenizer.unk_token_id, str(tokenizer.unk_token)
    if not lacks_characters(tokenizer):
        return []
    if not tokenizer.is_fast:  # without places: how many more there are than names of it
        ids = tokenizer(text[start:], add_special_tokens=False, verbose=False)["input_ids"]
        return [name] * max(0, list(ids).count(unknown) - text[start:].count(name))
    if gone := _left_out_by_model(tokenizer, text[start:]):
        return gone
    encoded = _encoded(tokenizer, text, add_special_tokens=False, return_offsets_mapping=True)
    left_out = _left_out(text, encoded["offset_mapping"], start)
    pieces = (
        text[max(begin, start) : end]
        for each, (begin, end) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        if each == unknown and end > max(begin, start)
    )
    return [*(piece for piece in pieces if piece.strip() != name), *left_out]


def _encoded(tokenizer: PreTrainedTokenizerBase, text: str, **options: bool) -> Any:
    """What the tokenizer returns for a text.

    Raises:
        PreflightError: it has no token for something in it, and no unknown token to put there.
    """
    try:
        return tokenizer(text, verbose=False, **options)
    except Exception as error:  # the library raises this class itself
        raise PreflightError(
            f"the tokenizer cannot encode {text[-60:]!r} ({error}); take a model whose tokenizer knows this script, or "
            "take the text out of the data"
        ) from error


def _left_out_by_model(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """Characters that a BPE without unknown token leaves out; behind the first, its places of tokens are wrong."""
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    model = getattr(backend, "model", None)
    if not isinstance(model, BPE) or model.unk_token or not lacks_characters(tokenizer):
        return []
    if backend.normalizer is not None:
        text = backend.normalizer.normalize_str(text)
    pieces = [text]
    if backend.pre_tokenizer is not None:
        pieces = [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
    front, behind = model.continuing_subword_prefix or "", model.end_of_word_suffix or ""

    def known(character: str) -> bool:
        forms = {start + character + end for start in ("", front) for end in ("", behind)}
        in_bytes = [f"<0x{byte:02X}>" for byte in character.encode()] if model.byte_fallback else [""]
        return any(backend.token_to_id(form) is not None for form in forms) or all(
            backend.token_to_id(byte) is not None for byte in in_bytes
        )

    return [character for character in dict.fromkeys("".join(pieces)) if not known(character)]


def _left_out(text: str, offsets: Iterable[tuple[int, int]], start: int) -> list[str]:
    """Letters and digits that no token stands for; marks and signs may be a normaliser's to leave out."""
    covered = {place for begin, end in offsets for place in range(begin, end)}
    return [text[at] for at in range(start, len(text)) if at not in covered and text[at].isalnum()]


def lacks_characters(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether some text becomes an unknown token or is left out: none is where every single byte is a token."""
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    model = getattr(backend, "model", None)
    if tokenizer.unk_token_id is None or (isinstance(model, BPE) and not model.unk_token):
        if not tokenizer.is_fast:
            return False
        try:
            encoded = tokenizer(RARE, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        except Exception:  # it has no unknown token to put there
            return True
        return bool(_left_out(RARE, encoded["offset_mapping"], 0))
    bytes_known = getattr(model, "byte_fallback", False) and all(
        backend.token_to_id(f"<0x{byte:02X}>") is not None for byte in range(256)
    )
    return not bytes_known


def end_ids(tokenizer: PreTrainedTokenizerBase, *configured: Any) -> tuple[int, ...]:
    """The tokens that end a text, the one that training appends first.

    Args:
        configured: ``eos_token_id`` of the model's config and of its generation_config: a number, a list or None.

    Returns:
        The union, the tokenizer's own first; empty where nothing ends a text.
    """
    own = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    return tuple(dict.fromkeys([*own, *(each for value in configured for each in _numbers(value))]))


def chat_ids(tokenizer: PreTrainedTokenizerBase, message: str) -> list[int]:
    """The ids of one user's message as the model's chat template puts it, ready for the answer.

    Some templates want a message as a text, others as a list of parts: the first form that brings all its words, in
    their order, into what is read is taken.

    Raises:
        PreflightError: neither does.
    """
    failed = "what it makes lacks words of the message"
    for content in (message, [{"type": "text", "text": message}]):
        conversation: Any = [{"role": "user", "content": content}]
        try:
            text = str(
                tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
            )
            # Where the words come in a list that is written out as Python does, its signs would be read as text.
            written_out = text.count("{'type':") > message.count("{'type':")
            if _holds_in_order(text, message.split()) and not written_out:
                made: Any = tokenizer.apply_chat_template(
                    conversation, tokenize=True, add_generation_prompt=True, return_dict=False
                )
                return [int(each) for each in made]
        except Exception as error:  # a template raises whatever its maker wrote, and Jinja's errors beside
            failed = (
                f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
            )
    raise PreflightError(
        f"its chat template cannot put one message of a user, without a system's before it ({failed}); mend "
        "chat_template in the model's folder, or remove it there: then the message is read as plain text"
    )


def _holds_in_order(text: str, words: Iterable[str]) -> bool:
    """Whether each word stands behind the one before it, with anything in between; as it is, or as JSON writes it."""
    at = 0
    for word in words:
        forms = (word, json.dumps(word)[1:-1], json.dumps(word, ensure_ascii=False)[1:-1])
        ends = [found + len(form) for form in forms if (found := text.find(form, at)) >= 0]
        if not ends:
            return False
        at = min(ends)
    return True


def _numbers(value: Any) -> Iterable[int]:
    found = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
    for each in found:
        if not isinstance(each, int) or isinstance(each, bool):
            raise PreflightError(
                f"eos_token_id of config.json or generation_config.json is {value!r}; expected the number of a token, "
                "or a list of such numbers"
            )
    return found


def _added(mask: list[int]) -> tuple[int, int]:
    """How many special tokens the tokenizer put in front, and how many behind."""
    if all(mask):
        return len(mask), 0
    front, behind = mask.index(0), mask[::-1].index(0)
    return front, behind


def _without_offsets(tokenizer: PreTrainedTokenizerBase, prompt: str, text: str) -> TokenIds:
    """For tokenizers in Python, which know no places: the prompt's own ids, where they do begin the text's."""
    whole, alone = (_plain(tokenizer, each) for each in (text, prompt))
    if whole[: len(alone)] != alone:
        raise PreflightError(
            f"{type(tokenizer).__name__} encodes the prompt {prompt[-30:]!r} otherwise when text follows; "
            "use the model's fast tokenizer (tokenizer.json), which tells where each token stands"
        )
    return TokenIds(whole, len(alone))


def _plain(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids with the special tokens in front and without those behind."""
    ids = [int(each) for each in tokenizer(text, verbose=False)["input_ids"]]
    bare = [int(each) for each in tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]
    front = next((at for at in range(len(ids) + 1) if ids[at : at + len(bare)] == bare), 0)
    return [*ids[: front - _written_again([*ids[:front], *bare], front)], *bare]
