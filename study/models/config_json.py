"""Numbers of a model's config.json: as they stand there or, where its type names them otherwise, by transformers.

Without torch in the first case, which is most models': transformers' own configurations bring it along.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.errors import PreflightError

BY_LENGTH = ("dynamic", "longrope", "su")
"""Rotary embeddings that depend on the length of the text; ``su`` is the name that longrope had."""
OF_OLD = (*BY_LENGTH, "yarn")
"""What config.json may call them; the first Phi-3's say ``yarn``."""
PLACES = ("max_position_embeddings", "max_seq_len", "max_target_positions")
"""What models call the number of their places; the second is MPT's, the third that of Whisper's decoder."""
PLACES_AFTER_PADDING = (
    "camembert", "data2vec-text", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
)  # fmt: skip
"""Types whose first token has the place behind the padding's (``create_position_ids_from_input_ids``)."""


def places_of(folder: Path) -> int:
    """How many tokens the model in this folder has places for; ``sys.maxsize`` where they never run out.

    Raises:
        PreflightError: as ``number_of``.
    """
    written = read(folder / "config.json")
    if PLACES[0] in written and written.get("model_type") not in PLACES_AFTER_PADDING:
        return number_of(folder, PLACES[0])
    config = _text_config(folder)
    name = next((name for name in PLACES if getattr(config, name, None) is not None), None)
    if name is None:
        return sys.maxsize
    first = config.pad_token_id + 1 if config.model_type in PLACES_AFTER_PADDING else 0
    return number_of(folder, name) - first


def number_of(folder: Path, name: str, default: int | None = None) -> int:
    """A number of the model in this folder, by the name that Llama's configuration gives it.

    Of a model of texts and images it is the text model's.

    Args:
        default: the number of a model whose configuration has none of that name.

    Raises:
        PreflightError: it has none, and there is no default; or what stands there is no number.
    """
    written = read(folder / "config.json").get(name)
    if isinstance(written, int) and written > 0:
        return written
    found = getattr(_text_config(folder), name, None)
    if found is None:  # also where it is written down as null, as Mixtral's head_dim
        found = default
    if found is None:
        raise PreflightError(
            f"model={folder}: its config.json has no {name}; take a model whose type has one"
        )
    try:
        number = int(found)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise PreflightError(
            f"model={folder}: {name} is {found!r} in its config.json; expected a number above 0"
        )
    return number


def rotary_border(folder: Path) -> int | None:
    """The longest text, in tokens, whose rotary embedding is a shorter one's; None where the length changes nothing.

    Raises:
        PreflightError: transformers cannot read the configuration.
    """
    content = read(folder / "config.json")
    if not any(_kind(each) in OF_OLD for each in _objects(content)):
        return None
    config = _text_config(folder)
    found = [each for each in _objects(config.rope_parameters) if _kind(each) in BY_LENGTH]
    longest = config.max_position_embeddings
    first = getattr(config, "original_max_position_embeddings", longest)
    borders = (
        longest if _kind(each) == "dynamic" else each.get("original_max_position_embeddings", first)
        for each in found
    )
    return min((int(each) for each in borders), default=None)


def _text_config(folder: Path) -> Any:
    """Transformers' configuration of the text model."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config(decoder=True)
    except Exception as error:  # each architecture raises its own kind
        words = " ".join(str(error).split())
        raise PreflightError(
            f"model={folder}: transformers cannot read its config.json ({type(error).__name__}: {words})"
        ) from error


def _objects(content: Any) -> Iterator[dict[str, Any]]:
    """A JSON object and all that lie in it."""
    if isinstance(content, dict):
        yield content
        for each in content.values():
            yield from _objects(each)


def _kind(rotary: dict[str, Any]) -> str:
    return str(rotary.get("rope_type", rotary.get("type")))


def read(file: Path) -> dict[str, Any]:
    """A JSON object of a model's folder; empty where there is no such file.

    Raises:
        ValueError: the file is no JSON.
    """
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}
