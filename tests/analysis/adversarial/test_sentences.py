"""Every sentence and verdict that a report prints of a misleading study is true of its rows, and the wrong one is not
there.

``tests.analysis.truth`` shares no code with ``analysis``.
"""

import re

import pytest

from analysis.paper.experiments import experiments
from analysis.report.findings import sentences
from analysis.report.measured_study import MeasuredStudy
from tests.analysis.adversarial.case import DOES_NOT, HOLDS, UNSAID, Case
from tests.analysis.adversarial.cases import CASES, NO_ZERO_HAS_A_SIGN, NOTHING_ELSE
from tests.analysis.truth.rows import Truth
from tests.analysis.truth.sentences import check

LATER = (
    "dirty-in-one-model",
    "models-are-no-seeds",
    "all-100",
    "all-0",
    "below-the-control",
    "no-control",
    "base-answers-in-one-seed",
    "names-keep-their-case",
    "only-the-answer-itself",
    "known-in-one-seed",
    "a-corpus-lacks-a-seed",
    "methods-with-hyperparameters",
)
"""Those that differ in degree from one that is asked here; `make test-all` asks them."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LATER else name for name in CASES]
)
def test_every_sentence_and_every_verdict_is_true_of_the_rows(measured, name: str) -> None:
    case = CASES[name]
    study, truth = measured(name)
    said = sentences(study)
    for sentence in said:
        check(truth, sentence)
    unclean = [sentence for sentence in said if sentence.startswith("This control is not clean")]
    assert unclean == said[: len(unclean)], "it comes first"
    certain = [
        row
        for start in ("never_learned", "base")
        for row in truth.find(start=start)
        if row["benign"] and truth.ends(row)[0] > 0.02 and (start == "base" or row["corpus"] != "none")
    ]
    assert bool(unclean) == bool(certain and truth.relearnings)
    for pattern in case.says:
        assert any(re.search(pattern, sentence) for sentence in said), (pattern, said)
    for pattern in (*case.says_not, *NOTHING_ELSE, NO_ZERO_HAS_A_SIGN):
        assert not any(re.search(pattern, sentence) for sentence in said), (pattern, said)

    _check_verdicts(case, study, truth)
    if case.claims:
        _check_claims(case, study)


def _check_verdicts(case: Case, study: MeasuredStudy, truth: Truth) -> None:
    """Each statement's number is that of the rows, and no verdict is one that the study was made to mislead to."""
    table = study.verdicts
    rows = table.to_dict("records") if len(table) else []
    for row in rows:
        mine = [
            each for each in truth.relearnings if (each.model, each.method) == (row["model"], row["method"])
        ]
        back = re.fullmatch(
            r"relearning (\S+) brings back more than it teaches the control", row["statement"]
        )
        best = re.fullmatch(r"relearning (\S+) brings back .*, at its best step \((\d+)\)", row["statement"])
        pair = re.fullmatch(r"(\S+) brings back more than (\S+)", row["statement"])
        if back:
            assert row["value"] == pytest.approx(truth.gain_of_corpus(mine, back[1]))
            assert row["verdict"] in case.back.get(back[1], (HOLDS, UNSAID, DOES_NOT)), row
        elif best:
            assert row["value"] == pytest.approx(max(truth.gains_by_step(mine, best[1]).values()))
        elif pair:
            assert row["value"] == pytest.approx(truth.difference(mine, pair[1], pair[2]))
            assert row["verdict"] == case.corpora.get(f"{pair[1]} above {pair[2]}", row["verdict"]), row
        assert row["verdict"] == UNSAID or row["seeds"] > 1
        if row["verdict"] == UNSAID and row["low"] == row["low"]:
            assert row["smallest"] > 0, "what could have been seen stands beside it"
    for words, verdicts in case.stated.items():
        found = {row["verdict"] for row in rows if row["statement"] == words}
        assert found <= verdicts and bool(found) == bool(verdicts), (words, found)
    for words, pattern in case.over.items():
        (found_over,) = [row["over"] for row in rows if row["statement"] == words]
        assert re.fullmatch(pattern, found_over), found_over
    said = {row["statement"] for row in rows}
    assert {f"{one.replace(' above ', ' brings back more than ')}" for one in case.corpora} <= said


def _check_claims(case: Case, study: MeasuredStudy) -> None:
    """The paper's claims are judged from what counts."""
    table = experiments(study)
    for words, holds in case.claims.items():
        found = table[table["what"].str.contains(words, regex=False) & (table["paper"] == "holds")]
        assert len(found), words
        assert [None if each is None else bool(each) for each in found["holds"]] == [holds] * len(found), (
            words
        )
