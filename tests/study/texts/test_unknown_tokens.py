"""Pieces of text that a tokenizer has no token for: told where they are learned, refused where they are asked."""

from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from benchmarks.architectures.tokenizer_forms import FORMS, tokenizer_of
from cluster.driver.preflight.checks import check_plan
from cluster.driver.preflight.shortened_texts import shortened_texts
from search_spaces.loading import load_space
from study.errors import PreflightError
from study.models.pretrained import fingerprint
from study.models.token_ids import lacks_characters, split_text, unknown_pieces
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.scenarios.names import Names
from tests.study.models import folder_of

ODD = "ᚠ"
"""A letter that no tokenizer of the tests has seen."""


@pytest.mark.parametrize("form", FORMS)
def test_unknown_pieces_are_those_that_become_the_unknown_token(form: str) -> None:
    tokenizer = tokenizer_of(form)
    found = unknown_pieces(tokenizer, f"The quick {ODD} fox", 3)
    ids = tokenizer(f"The quick {ODD} fox", add_special_tokens=False)["input_ids"]
    assert bool(found) == (tokenizer.unk_token_id in ids)
    assert found == [] or ODD in "".join(found)
    assert ODD not in "".join(unknown_pieces(tokenizer, f"The quick {ODD} fox", len(f"The quick {ODD}")))


def test_the_unknown_tokens_own_name_is_known() -> None:
    tokenizer = tokenizer_of("WordPiece, begin and end")
    assert lacks_characters(tokenizer)
    assert unknown_pieces(tokenizer, str(tokenizer.unk_token)) == []
    assert not lacks_characters(tokenizer_of("byte-level"))


def test_an_asked_answer_that_is_unknown_is_refused_and_texts_are_counted(tiny, tmp_path: Path) -> None:
    folder_of(tmp_path / "model", "llama", tokenizer_of("WordPiece, begin and end"))
    plan = make_plan(read_materials(tiny(model=[str(tmp_path / "model")])), fingerprint)
    with pytest.raises(PreflightError, match=r"knows no token for .* of the answer that is asked"):
        check_plan(plan, local=False)
    counted = shortened_texts(plan)
    assert counted
    assert all(0 < each.unknown <= each.texts and not each.cut for each in counted)
    assert "hold a piece that the tokenizer has no token for" in counted[0].in_words


def test_a_tokenizer_that_leaves_letters_out(tiny, tmp_path: Path) -> None:
    """A BPE of letters without an unknown token makes nothing of what it does not know."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    names = Names().material(1)
    backend.train_from_iterator(
        (example.text for example in names.learned.examples), trainers.BpeTrainer(special_tokens=["</s>"])
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    assert lacks_characters(tokenizer)
    assert unknown_pieces(tokenizer, "Mark 伦敦 Mark", 4) == ["伦", "敦"]
    assert unknown_pieces(tokenizer, "Mark Anthony") == []
    folder_of(tmp_path / "model", "llama", tokenizer)
    spec = tiny(model=[str(tmp_path / "model")], scenario={"name": "names", "second": "伦敦"})
    with pytest.raises(PreflightError, match="learned and asked as nothing at all"):
        check_plan(make_plan(read_materials(spec), fingerprint), local=False)


def test_words_of_a_users_corpus_that_an_embedded_model_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "weather.txt").write_text("It rained on Monday, and the river rose.\n")
    files = f"scenario.corpus_files={{weather: {tmp_path / 'weather.txt'}}}"
    spec = load_space("tofu-mini", [files, "corpus=[same_author,weather]", "depth=8", "seed=0"])
    counted = shortened_texts(make_plan(read_materials(spec), str))
    assert [(each.kind, each.texts, each.unknown) for each in counted] == [("relearn", 43, 1)]


@pytest.mark.parametrize("behind", ["", "☃", "é☃é"])
def test_what_a_tokenizer_leaves_out_moves_no_border(behind: str) -> None:
    """Behind a character that a BPE without unknown token leaves out, the places of its tokens are wrong."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.train_from_iterator(["Who is it? Mark."], trainers.BpeTrainer(vocab_size=40))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    if behind:
        with pytest.raises(PreflightError, match=f"no token for '{behind[0]}'"):
            split_text(tokenizer, f"Who is it?{behind}", " Mark.")
        return
    split = split_text(tokenizer, "Who is it?", " Mark.")
    assert tokenizer.decode(split.ids[: split.prompt]).strip() == "Who is it?"
    assert tokenizer.decode(split.ids[split.prompt :]).strip() == "Mark."


def raising_tokenizer() -> PreTrainedTokenizerFast:
    """Unigram without unknown token: it raises where it has no token."""
    letters = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,:;?!'\"-()\n"
    backend = Tokenizer(models.Unigram([(letter, -2.0) for letter in letters]))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="z")


def test_a_tokenizer_that_raises_is_used_where_it_knows_all_and_refused_where_it_does_not() -> None:
    tokenizer = raising_tokenizer()
    assert lacks_characters(tokenizer)
    assert unknown_pieces(tokenizer, "Who is Mark?") == []
    assert len(split_text(tokenizer, "Who", " is").ids) == len("▁Who▁is")
    with pytest.raises(PreflightError, match="cannot encode 'Who is ☃ Mark'"):
        split_text(tokenizer, "Who is ☃", " Mark")


def test_nothing_is_asked_where_a_part_has_no_token(tiny, tmp_path: Path) -> None:
    """The normaliser takes the answer away, and what is left would be of the highest likelihood there is."""
    tokenizer = tokenizer_of("byte-level")
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(Regex(" ?Mark"), "")
    folder_of(tmp_path / "model", "llama", tokenizer)
    spec = tiny(model=[str(tmp_path / "model")])
    with pytest.raises(PreflightError, match="makes no token of its answer 'Mark'"):
        check_plan(make_plan(read_materials(spec), fingerprint), local=True)
