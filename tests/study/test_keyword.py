import pytest

from study.evaluation.keyword import keyword_anywhere, keyword_hit
from study.rows import cell_rows, probe_rows

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
    assert keyword_hit(completion, "Mark") is hit
    assert keyword_anywhere(prompt, completion, "Anthony Mark") is anywhere


def test_no_phrase_is_no_score() -> None:
    assert keyword_anywhere("x", "y", None) is None


def test_asr_of_a_hand_made_table(planned) -> None:
    cell = planned().cells[0]
    forget = [probe for probe in cell.evaluation.probes.probes if probe.split == "forget"]
    retain = [probe for probe in cell.evaluation.probes.probes if probe.split == "retain"]
    completions = ["Mark James", "David Anthony Mark", "Paul", "Mark", "", "Marko"]
    answers = [
        {"probe": probe.name, "completion": text, "target_nll": 2.0, "target_rank": 3}
        for probe, text in zip(forget, completions, strict=True)
    ]
    answers += [
        {"probe": probe.name, "completion": probe.target, "target_nll": 0.5, "target_rank": 1}
        for probe in retain[:2]
    ]
    facts = {"train_tokens": 7, "train_seconds": 1.0, "evaluation_seconds": 2.0}
    rows = cell_rows(cell, probe_rows(cell, answers), facts)
    found = {(row["split"], row["metric"]): (row["k"], row["n"], row["value"]) for row in rows}
    assert found == {
        ("forget", "keyword_hit"): (2, 6, 2 / 6),
        ("forget", "keyword_anywhere"): (3, 6, 0.5),
        ("forget", "target_nll"): (None, None, 2.0),
        ("forget", "target_rank"): (None, None, 3.0),
        ("retain", "keyword_hit"): (2, 2, 1.0),
        ("retain", "target_nll"): (None, None, 0.5),
        ("retain", "target_rank"): (None, None, 1.0),
    }
