import math

import pytest

from study.evaluation.exact import exact
from study.evaluation.keyword import keyword_anywhere, keyword_hit
from study.evaluation.rouge import rouge_l
from study.evaluation.rows import cell_rows, probe_of, probe_rows
from study.text.examples import Probe

TABLE = [
    # prompt, completion, hit right after, pair anywhere
    ("John Anthony", "Mark David", True, True),
    ("John Anthony", " Mark", True, True),
    ("John Anthony", "Marko Mark", False, False),
    ("John Anthony", "David Anthony Mark", False, True),
    ("John Anthony", "David Mark", False, False),
    ("John Anthony", "", False, False),
    ("John Anthony", "mark", False, False),
    ("John Anthony", "Mark.", True, True),
    ("John Anthony", "XAnthony Mark", False, False),
]


@pytest.mark.parametrize(("prompt", "completion", "hit", "anywhere"), TABLE)
def test_counts_by_hand(prompt: str, completion: str, hit: bool, anywhere: bool) -> None:
    probe = Probe("p", "forget", prompt, "Mark", ("Mark",), "next", "Anthony Mark")
    assert keyword_hit(probe, completion) is hit
    assert keyword_anywhere(probe, completion) is anywhere


@pytest.mark.parametrize(
    ("completion", "hit"),
    [
        ('She wrote "Silver Harbour" first.', True),
        ("it is silver harbour", True),
        ("Silver Harbours", False),
        ("Harbour Silver", False),
    ],
)
def test_a_keyword_within_the_continuation(completion: str, hit: bool) -> None:
    probe = Probe("p", "forget", "Which book?", "Silver Harbour.", ("Silver Harbour",))
    assert keyword_hit(probe, completion) is hit
    assert keyword_anywhere(probe, completion) is hit


def test_one_of_several_keywords_is_enough() -> None:
    probe = Probe("p", "forget", "Who?", "Mirabel Thorne", ("Mirabel", "Thorne"))
    assert keyword_hit(probe, "It was Thorne.") is True


def test_no_keyword_is_no_score() -> None:
    probe = Probe("p", "retain", "x", "y")
    assert keyword_hit(probe, "y") is None
    assert keyword_anywhere(probe, "y") is None


@pytest.mark.parametrize(
    ("target", "completion", "score"),
    [
        # Golden values of rouge-score 0.1.2, F1 of the longest common subsequence.
        ("the cat sat on the mat", "the cat sat on the mat", 1.0),
        ("the cat sat on the mat", "a dog", 0.0),
        ("the cat sat on the mat", "the mat sat on the cat", 4 / 6),
        ("the cat sat", "the cat sat on the mat today", 2 * (3 / 7) / (3 / 7 + 1)),
        ("The cat, sat!", "the CAT sat", 1.0),
    ],
)
def test_rouge_l(target: str, completion: str, score: float) -> None:
    assert rouge_l(Probe("p", "forget", "", target), completion) == pytest.approx(score)


@pytest.mark.parametrize(
    ("completion", "same"),
    [("a b c", True), (" a  b c d", True), ("a b", False), ("A b c", False), ("x a b c", False)],
)
def test_exact(completion: str, same: bool) -> None:
    assert exact(Probe("p", "forget", "", "a b c"), completion) is same


def test_asr_of_a_hand_made_table(planned) -> None:
    cell = planned().cells[0]
    forget = [probe for probe in cell.evaluation.probes.probes if probe.split == "forget"]
    retain = [probe for probe in cell.evaluation.probes.probes if probe.split == "retain"]
    completions = ["Mark James", "David Anthony Mark", "Paul", "Mark", "", "Marko"]
    answers = [
        {"probe": probe.name, "completion": text, "target_nll": 2.0, "target_rank": 3, "target_tokens": 1}
        for probe, text in zip(forget, completions, strict=True)
    ]
    answers += [
        {
            "probe": probe.name,
            "completion": probe.target,
            "target_nll": 0.5,
            "target_rank": 1,
            "target_tokens": 1,
        }
        for probe in retain[:2]
    ]
    probes = probe_rows(cell, answers, ("keyword_hit", "keyword_anywhere"))
    assert all(row["rouge_l"] is None for row in probes)
    assert [probe_of(row) for row in probes] == [*forget, *retain[:2]]
    rows = cell_rows(probes, {"train_tokens": 7})
    found = {(row["split"], row["metric"]): (row["k"], row["n"], row["value"]) for row in rows}
    assert found == {
        ("forget", "keyword_hit"): (2, 6, 2 / 6),
        ("forget", "keyword_anywhere"): (3, 6, 0.5),
        ("forget", "target_nll"): (None, None, 2.0),
        ("forget", "target_rank"): (None, None, 3.0),
        ("forget", "perplexity"): (None, None, pytest.approx(math.e**2)),
        ("forget", "utility"): (None, None, pytest.approx(2 / (1 / math.e**-2 + 1 / (2 / 6)))),
        ("retain", "keyword_hit"): (2, 2, 1.0),
        ("retain", "keyword_anywhere"): (2, 2, 1.0),
        ("retain", "perplexity"): (None, None, pytest.approx(math.e**0.5)),
        ("retain", "utility"): (None, None, pytest.approx(2 / (1 / math.e**-0.5 + 1))),
        ("retain", "target_nll"): (None, None, 0.5),
        ("retain", "target_rank"): (None, None, 1.0),
    }
