"""Pure functions whose results a session of tests asks for again and again: each is computed once.

The tiny studies learn language from 4,096 generated sequences, and most of their seconds went into generating and
encoding these. Where the text or the tokenizer is another, it is computed; a user's file is always read.
"""

from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

import study.training.batches
from study.scenarios.names import Names
from study.text.examples import Corpus, Material
from study.training.encoding import Encoded, encode


def compute_once(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone."""
    encoded: dict[tuple[Any, ...], list[Encoded]] = {}
    materials: dict[tuple[str, int], Material] = {}
    material = Names.material

    def encode_once(
        corpus: Corpus, tokenizer: PreTrainedTokenizerBase, context: int, max_length: int | None = None
    ) -> list[Encoded]:
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            return encode(corpus, tokenizer, context, max_length)
        named = (
            corpus.digest,
            tokenizer.backend_tokenizer.to_str(),
            tokenizer.eos_token_id,
            context,
            max_length,
        )
        if named not in encoded:
            encoded[named] = encode(corpus, tokenizer, context, max_length)
        return encoded[named]

    def material_once(scenario: Names, repetitions: int) -> Material:
        if scenario.corpus_file is not None:
            return material(scenario, repetitions)
        named = (scenario.model_dump_json(), repetitions)
        if named not in materials:
            materials[named] = material(scenario, repetitions)
        return materials[named]

    patch.setattr(study.training.batches, "encode", encode_once)
    patch.setattr(Names, "material", material_once)
