"""Folders of tiny models of any family, with a tokenizer that all of them take."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from benchmarks.architectures.families import tiny_model
from benchmarks.architectures.tokenizer_forms import tokenizer_of


def folder_of(
    path: Path, kind: str, tokenizer: PreTrainedTokenizerFast | None = None, **settings: Any
) -> Path:
    """A model folder as ``save_pretrained`` writes it.

    Args:
        kind: transformers' model_type.
        settings: of its configuration.
    """
    tiny_model(kind, **settings).save_pretrained(path)
    (tokenizer or tokenizer_of("byte-level, begin")).save_pretrained(path)
    return path
