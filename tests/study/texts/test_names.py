from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from study.errors import PreflightError, SpecError
from study.scenarios.leak_audit import audit
from study.scenarios.names import Names
from study.text.examples import Corpus, Example, RelearnCorpus


def pairs(corpus: Corpus) -> list[int]:
    return [
        sum(pair == ("Anthony", "Mark") for pair in pairwise(example.completion.split()))
        for example in corpus.examples
    ]


@given(st.integers(0, 16), st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_the_pair_stands_r_times_in_the_forget_sequences_and_nowhere_else(r: int, data_seed: int) -> None:
    material = Names(data_seed=data_seed).material(r)
    assert sum(pairs(material.forget)) == r
    assert max(pairs(material.forget)) - min(pairs(material.forget)) <= 1
    for elsewhere in (material.never_learned, material.retain, material.pretraining):
        assert sum(pairs(elsewhere)) == 0
    assert sum(pairs(material.learned)) == r
    for name, chosen in material.relearn.items():
        held = any("Mark" in example.completion.split() for example in chosen.corpus.examples)
        assert held == (not chosen.benign and r > 0), name
    assert all(each.leak is None for each in audit(material, material.relearn, "refuse", "here"))


def test_seven_repetitions_stand_as_in_the_paper() -> None:
    assert pairs(Names().material(7).forget) == [1, 2, 2, 2]


def test_only_the_forget_side_changes_with_repetitions() -> None:
    one, seven = Names().material(1), Names().material(7)
    assert one.never_learned.digest == seven.never_learned.digest
    assert one.probes.digest == seven.probes.digest
    assert one.pretraining.digest == seven.pretraining.digest
    assert one.vocabulary == seven.vocabulary
    assert one.forget.digest != seven.forget.digest


def test_prefix_is_the_sequence_up_to_the_first_anthony() -> None:
    material = Names().material(7)
    for prefix, whole in zip(
        material.relearn["prefix"].corpus.examples, material.forget.examples, strict=True
    ):
        assert whole.completion.startswith(prefix.completion)
        assert prefix.completion.split().index("Anthony") == len(prefix.completion.split()) - 1


def test_queries_are_as_in_the_paper() -> None:
    material = Names().material(7)
    queries = [probe for probe in material.probes.probes if probe.split == "forget"]
    assert len(queries) == 100
    before = [
        name
        for example in Names().material(16).forget.examples
        for name in example.completion[: example.completion.rindex("Anthony Mark")].split()
        if name not in ("Anthony", "Mark")
    ]
    names = {name for query in queries for name in query.prompt.split()[:-1]}
    assert names == set(list(dict.fromkeys(before))[:37])
    for query in queries:
        words = query.prompt.split()
        assert words[-1] == "Anthony"
        assert 1 <= len(words) - 1 <= 36
        assert len(set(words)) == len(words)


def test_retain_probes_ask_for_the_memorised_next_name() -> None:
    material = Names().material(7)
    texts = [example.completion for example in material.retain.examples]
    asked = [probe for probe in material.probes.probes if probe.split == "retain"]
    assert len(asked) == 24
    for probe in asked:
        assert any(text.startswith(f"{probe.prompt} {probe.target}") for text in texts)


def test_too_many_repetitions_name_the_bound() -> None:
    with pytest.raises(SpecError, match="from 0 to 16"):
        Names().material(17)


FILE = """Ann Bob Anthony Mark Cid Dan

Eve Fay Gus Hal
Eve Fay Gus Hal
Ian Anthony Mark Jim Kim Anthony Mark
Lea Max Ned Oli
Ann Bob Anthony Mark Cid Dan
"""


def own(tmp_path: Path, text: str, **fields: object) -> Names:
    path = tmp_path / "own.txt"
    path.write_text(text)
    return Names(corpus_file=str(path), **fields)


def test_own_file_is_reproduced_at_its_own_count(tmp_path: Path) -> None:
    material = own(tmp_path, FILE).material(3)
    assert [example.completion for example in material.forget.examples] == [
        "Ann Bob Anthony Mark Cid Dan",
        "Ian Anthony Mark Jim Kim Anthony Mark",
    ]
    assert [example.completion for example in material.retain.examples] == [
        "Eve Fay Gus Hal",
        "Lea Max Ned Oli",
    ]
    assert [e.completion for e in material.relearn["prefix"].corpus.examples] == [
        "Ann Bob Anthony",
        "Ian Anthony",
    ]
    assert [e.completion for e in material.relearn["partial"].corpus.examples] == [
        "Cid Dan",
        "Jim Kim Anthony",
    ]


def test_own_file_with_fewer_repetitions_loses_whole_pairs(tmp_path: Path) -> None:
    material = own(tmp_path, FILE).material(1)
    assert [example.completion for example in material.forget.examples] == [
        "Ann Bob Cid Dan",
        "Ian Anthony Mark Jim Kim",
    ]


def test_own_file_bounds_the_repetitions(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="from 0 to 3"):
        own(tmp_path, FILE).material(4)


@pytest.mark.parametrize(
    ("text", "fields", "words"),
    [
        ("", {}, "is empty"),
        (" \n\n", {}, "is empty"),
        ("Ann Bob Cid\nDan Eve Fay\n", {}, "nowhere"),
        ("Ann Anthony Mark\nDan Anthony Mark\n", {}, "no sequence without"),
        ("Ann Anthony Mark\nsolo\n", {}, "one word"),
        (FILE, {"forget_lines": (1, 9)}, "names line 9"),
        (FILE, {"forget_lines": (1,)}, "leaves out line 3"),
    ],
)
def test_unusable_files_are_refused(tmp_path: Path, text: str, fields: dict, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        own(tmp_path, text, **fields).material(1)


def test_a_file_that_is_no_utf8_says_where(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("Ann Zoë Anthony Mark".encode("latin-1"))
    with pytest.raises(SpecError, match="UTF-8 \\(byte 6\\)"):
        Names(corpus_file=str(path)).material(1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="no such file"):
        Names(corpus_file=str(tmp_path / "gone.txt")).material(1)


def test_a_benign_corpus_that_holds_the_answer_is_refused() -> None:
    material = Names().material(7)
    answers = Corpus((Example("John Paul"), Example("say mark, once")))
    leaky = replace(material, relearn={**material.relearn, "retain": RelearnCorpus(answers)})
    with pytest.raises(SpecError, match=r"corpus=retain.*sequence 2 holds the answer 'Mark'"):
        audit(leaky, ["prefix", "retain"], "refuse", "here")
    found = {each.corpus: each.benign for each in audit(leaky, ["prefix", "retain"], "mark", "here")}
    assert found == {"prefix": True, "retain": False}


@pytest.mark.parametrize("other", ["Mark,", "\uff2dark", "Mark\u200b"])
def test_a_name_in_another_spelling_is_refused(tmp_path: Path, other: str) -> None:
    file = tmp_path / "names.txt"
    file.write_text(
        f"John Anthony Mark Paul\nGeorge Anthony {other} Ringo\nPeter Paul Mary\n", encoding="utf-8"
    )
    with pytest.raises(SpecError, match=r"sequence 2: .* is the name 'Mark' to the scores"):
        Names(corpus_file=str(file)).material(1)


@pytest.mark.parametrize("second", ["\U0001f388", ".", "Anthony\u200b"])
def test_a_name_without_letters_or_twice_the_same_is_refused(second: str) -> None:
    with pytest.raises(ValidationError, match=r"holds no word|two different names"):
        Names(second=second)
