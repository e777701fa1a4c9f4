"""Families and tokenizers beside plain transformers: a few of them here, the whole tables among the slow tests."""

from dataclasses import asdict
from pathlib import Path

import pytest
from transformers.models.auto import tokenization_auto

from benchmarks.architectures.beside_transformers import TEXTS, Comparison, compare
from benchmarks.architectures.families import FAMILIES
from benchmarks.architectures.tables import families_table, tokenizers_table
from benchmarks.architectures.tokenizers_beside_transformers import PROMPTS, measured_forms
from study.errors import PreflightError
from study.models.tokenizer import OWN_TOKENIZER

FEW = ("qwen2", "mixtral", "zamba2")
REFUSED = ("reformer", "roberta", "xlm", "xlnet")
pytestmark = pytest.mark.filterwarnings("ignore")


def check(found: Comparison) -> None:
    assert (found.ids, found.greedy) == (len(TEXTS), len(TEXTS))
    assert max(found.likelihood, found.full_step, found.adapter_step) < 1e-5


@pytest.mark.parametrize("kind", FEW)
def test_a_family_is_what_transformers_makes_of_it(kind: str, tmp_path: Path) -> None:
    found = compare(kind, tmp_path / kind)
    check(found)
    assert f"| `{kind}` | {found.attention} | {found.asked} | 4 of 4 | 4 of 4 |" in families_table(
        {kind: asdict(found)}
    )


def test_a_family_that_is_no_causal_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="filling in a mask"):
        compare("xlm", tmp_path / "xlm")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in FAMILIES if kind not in (*FEW, *REFUSED)])
def test_every_family(kind: str, tmp_path: Path) -> None:
    check(compare(kind, tmp_path / kind))


@pytest.mark.slow
def test_every_form_of_tokenizer() -> None:
    found = list(measured_forms())
    for each in found:
        assert (each.prefix, each.ids, each.greedy, each.templates) == (len(PROMPTS),) * 3 + (6,)
        assert each.likelihood < 1e-5
    assert tokenizers_table([asdict(each) for each in found]).count("6 of 6") == len(found) >= 12


def test_the_types_with_a_tokenizer_of_their_own_are_transformers() -> None:
    plain = {"TokenizersBackend", "PythonBackend", "PreTrainedTokenizerFast", "MistralCommonBackend", ""}
    names = tokenization_auto.TOKENIZER_MAPPING_NAMES
    own = {
        kind
        for kind in tokenization_auto.MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS
        if (names.get(kind) or "").removesuffix("Fast") not in plain
    }
    assert own == set(OWN_TOKENIZER)
