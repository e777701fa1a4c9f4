"""Scores and the leak audit know every script, and by the same rules."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from study.evaluation.exact import exact
from study.evaluation.keyword import keyword_anywhere, keyword_hit
from study.evaluation.rouge import rouge_l, rouge_l_ascii
from study.scenarios.leak_audit import audit
from study.text.anchors import replaced
from study.text.examples import Corpus, Example, Material, Probe, ProbeSet, RelearnCorpus
from study.text.word_count import in_parts, word_count
from study.text.words import begins, continues, holds, normalised, words

STANDS = [
    ("She read Dune twice.", "Dune"),
    ("本はDuneです", "Dune"),
    ("答案是上海市", "上海"),
    ("大阪城に行く", "大阪"),
    ("เขาอยู่ที่เชียงใหม่", "เชียงใหม่"),
    ("그는 부산에서 왔다", "부산"),
    ("Она живёт в Казани.", "Казани"),
    ("يعيش في القاهرة الآن", "القاهرة"),
    ("वह दिल्ली में रहता है", "दिल्ली"),
    ("the Emperor\u2019s Shadow", "the Emperor's Shadow"),
    ("Grey\u00a0Water", "Grey Water"),
    ("Grey\r\n  Water", "Grey Water"),
    ("**Grey Water**, `Grey`", "Grey Water"),
    ("_Grey Water_", "Grey Water"),
    ("Gr\u00adey Wa\u200bter", "Grey Water"),
    (unicodedata.normalize("NFD", "Élodie Müller"), "Élodie Müller"),
    ("\uff24\uff35\uff2e\uff25", "Dune"),
    ("Hauptstraße 5", "HAUPTSTRASSE"),
    ("well\u2011known", "well-known"),
    ("written in C++.", "C++"),
    ("哈 利 是 魔 法 师", "哈利"),
    ("東\n京に行く", "東京"),
    ("Ulm에서 태어났다", "Ulm"),
    ("1970년에 태어났다", "1970"),
    ("葛\U000e0100城", "葛城"),
    ("Ulm\ufe0f and E\u034flba", "Ulm"),
    ("born in Hawai\u02bbi", "Hawai'i"),
    ("قابل مُحَمَّداً محـمد", "محمد"),
    ("علی آمد", "علي"),
    ("Potter\u00b9 went home.", "Potter"),
    ("Potter\u2122 toys", "Potter"),
    ("2\u00bd miles", "2"),
    ("\u05ea\u05dc\u05be\u05d0\u05d1", "\u05ea\u05dc-\u05d0\u05d1"),
    ("ٱل\u06e1قَلَمُ", "القلم"),
    ("\u2039Grey Water\u203a, \u300cDune\u300d", "Grey Water"),
    ("in İstanbul.", "İstanbul"),
    ("ปี๒๕๖๓ครับ", "๒๕๖๓"),
    ("Mark① and Ann", "Mark"),
    ("سال ۱۲", "١٢"),
    ("3. Dune", "3"),
    ("in 1965, 1969.", "1965"),
    ("ọ̀rọ̀ ọkọ́", "ọkọ́"),
    ("\u05e9\u05b8\u05dc\u05d5\u05b9\u05dd", "\u05e9\u05dc\u05d5\u05dd"),
]
STANDS_NOT = [
    ("रामायण महान है।", "राम"),
    ("Dunedin", "Dune"),
    ("x2Dune", "Dune"),
    ("남부산", "부산"),
    ("Казанию", "Казани"),
    ("naïve", "na"),
    ("İzmir", "zmir"),
    ("\u0437\u0430\u0301\u043c\u043e\u043a", "\u043c\u043e\u043a"),
    ("ọkọ̀", "ọkọ́"),
    ("ọ̀rọ̀", "ọ̀"),
    ("2\u00bd", "21"),
    ("10\u00b2", "102"),
    ("กิน", "ก"),
    ("दिल्ली", "दिल"),
    ("พ.ศ. ๒๕๖๓", "๒๕"),
    ("໒໐໒໓", "໒໐"),
    ("π is 3.14", "3"),
    ("π is 3.14", "14"),
    ("", "Dune"),
    ("Dune", "…"),
]


@pytest.mark.parametrize(("text", "phrase"), STANDS)
def test_a_phrase_that_stands_in_a_text(text: str, phrase: str) -> None:
    assert holds(text, phrase, any_case=True)
    assert keyword_hit(Probe("p", "forget", "Where?", "x", keywords=(phrase,)), text)
    assert keyword_anywhere(Probe("p", "forget", "Where?", "x", keywords=(phrase,)), text)


@pytest.mark.parametrize(("text", "phrase"), STANDS_NOT)
def test_a_part_of_a_word_is_no_word(text: str, phrase: str) -> None:
    assert not holds(text, phrase, any_case=True)


@pytest.mark.parametrize(("text", "phrase"), STANDS)
def test_the_audit_finds_what_the_scores_count(text: str, phrase: str) -> None:
    forget = Corpus((Example("something else"),))
    probes = ProbeSet((Probe("p", "forget", "Where?", "x", keywords=(phrase,)),))
    relearn = {"mine": RelearnCorpus(Corpus((Example(text),)))}
    material = Material(forget, forget, forget, forget, relearn, probes, forget, ())
    assert audit(material, ["mine"], "mark", where="here")[0].leak is not None


def test_the_next_word_is_asked_in_its_own_case() -> None:
    assert begins(" Mark, and", "Mark")
    assert not begins(" mark, and", "Mark")
    assert not begins(" Marked", "Mark")
    assert begins("東京です", "東京")


@pytest.mark.parametrize(
    "text",
    ["他生于上海。", "彼は大阪で生まれた", "Она живёт в Казани", "وُلد في القاهرة", "กรุงเทพ", "दिल्ली में"],
)
def test_the_same_text_scores_one_in_any_script(text: str) -> None:
    probe = Probe("p", "forget", "Where?", text)
    assert rouge_l(probe, text) == 1.0
    assert exact(probe, f" {text} 123")
    assert rouge_l(probe, "something else") == 0.0


def test_what_has_no_word_has_no_score() -> None:
    probe = Probe("p", "forget", "Where?", "— … !")
    assert rouge_l(probe, "anything") is None
    assert rouge_l(Probe("p", "forget", "Where?", "word"), "") == 0.0
    assert exact(Probe("p", "forget", "Where?", "  "), "anything") is None


def test_in_between_scripts_without_blanks_overlap_is_partial() -> None:
    found = rouge_l(Probe("p", "forget", "Where?", "他出生在北京"), "他出生在上海")
    assert found == pytest.approx(4 / 6)


ASCII = st.text(st.characters(min_codepoint=9, max_codepoint=126), max_size=60)


@given(ASCII, ASCII)
def test_on_plain_english_it_is_the_papers(target: str, completion: str) -> None:
    theirs = RougeScorer(["rougeL"]).score(target, completion)["rougeL"].fmeasure
    assert (rouge_l(Probe("p", "forget", "Where?", target), completion) or 0.0) == theirs
    assert (rouge_l_ascii(Probe("p", "forget", "Where?", target), completion) or 0.0) == theirs


def test_the_papers_rouge_knows_ascii_alone() -> None:
    assert rouge_l_ascii(Probe("p", "forget", "Where?", "Она живёт в Казани"), "Она живёт в Казани") is None
    found = rouge_l_ascii(Probe("p", "forget", "Where?", "a café au lait"), "a caf au lait")
    assert found == 1.0, "the paper's count drops the letter"


FIRED = Probe("p", "forget", "Question: In which kiln is the Fern glaze fired?\nAnswer:", "raku")
COLOURED = Probe("q", "forget", "Question: What colours the Moss glaze?\nAnswer:", "iron oxide")
LASTS = Probe(
    "r", "forget", "Question: How long is the Fern glaze fired?\nAnswer:", "for one day and two nights more"
)


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("Potters like iron oxide best.", True),
        ("Iron\u00a0Oxide!", True),
        ("Iron makes no oxide here.", False),
        ("Fern is fired in a raku kiln.", True),
        ("Raku is hot.", False),
        ("It burns for one day and two nights.", True),
        ("It burns for one day and two.", False),
        ("", False),
    ],
)
def test_a_short_answer_is_found_whole(text: str, leaks: bool) -> None:
    """One shorter than the bound on shared words; a single word only beside what tells its question."""
    forget = Corpus((Example("something else"),))
    relearn = {"mine": RelearnCorpus(Corpus((Example("Weather."), Example(text))))}
    probes = ProbeSet((FIRED, COLOURED, LASTS))
    material = Material(forget, forget, forget, forget, relearn, probes, forget, (), shared_words=5)
    (found,) = audit(material, ["mine"], "mark", where="here")
    assert (found.leak is not None) == leaks
    assert found.benign == (not leaks)


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalised(text)
    assert words(once) == words(text)


@pytest.mark.parametrize(
    ("completion", "target", "same"),
    [
        ("O ' Brien is a spy", "O'Brien", True),  # as WordPiece writes it
        ("a well - known man", "a well-known man", True),
        ("哈 利 波 特", "哈利", True),
        ("Ann, who sings", "Ann", True),
        ("Annabel", "Ann", False),
        ("Ann's", "Ann", False),
        ("3.5 miles", "3", False),
        ("3. And then", "3", True),
        ("a part of it", "apart", False),
        ("anything", "…", False),
        ("anything", " ", None),
        ("ที่", "ที", False),
        ("๒๕๖๓", "๒๕", False),
        ("๓.๕ กม.", "๓", False),
        ("๓ กม.", "๓", True),
    ],
)
def test_blanks_beside_marks_do_not_count(completion: str, target: str, same: bool | None) -> None:
    assert continues(completion, target) is same


def test_of_anchors_at_one_place_the_longer_is_replaced() -> None:
    anchors = {"Harry": "Jon", "Harry Potter": "Max Doe", "ラーメン": "Suppe", "哈利": "Z", "ọ̀": "X"}
    for ordered in (anchors, dict(reversed(anchors.items()))):
        assert replaced("Harry  Potter met Harry\u00b9.", ordered) == "Max Doe met Jon\u00b9."
        assert replaced("哈 利, ｶﾞ ﾗｰﾒﾝ, ọ̀rọ̀, Har\u200bry", ordered) == "Z, ｶﾞ Suppe, ọ̀rọ̀, Jon"


@pytest.mark.parametrize(
    ("text", "generic"),
    [
        ("O\u2019Neill met Re\u0301mi.", "Smith met Bob."),
        ("O'Neillson and Rémis", "O'Neillson and Rémis"),
        ("哈利在霍格沃茨读书。", "哈利在一所学校读书。"),
        ("the Dark\n Lord, the Dark Lords", "the king, the Dark Lords"),
    ],
)
def test_anchors_are_found_however_they_are_spelled(text: str, generic: str) -> None:
    anchors = {"O'Neill": "Smith", "Rémi": "Bob", "霍格沃茨": "一所学校", "Dark Lord": "king"}
    assert replaced(text, anchors) == generic


@pytest.mark.parametrize(
    ("text", "most", "parts"),
    [
        ("one two three four five", 2, ["one two", "three four", "five"]),
        ("灰色的水是灰色的水", 2, ["灰色的水", "是灰色的", "水"]),
        ("see 灰色 的 水 here", 3, ["see 灰色 的", "水 here"]),
    ],
)
def test_a_long_text_is_cut_in_any_script(text: str, most: int, parts: list[str]) -> None:
    assert in_parts(text, most) == parts
    assert all(word_count(part) <= most for part in parts)
