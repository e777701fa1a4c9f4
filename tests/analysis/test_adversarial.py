"""Studies made to mislead: every sentence that a report prints of them is true of their rows, and the wrong one is
not there.

The first sixteen are the audit's, the others ours. ``tests.analysis.truth`` shares no code with ``analysis``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import analysis
from analysis.measures.recovery.flow import flow
from analysis.measures.recovery.net_recovery import net_recovery
from analysis.paper.experiments import experiments
from analysis.report import write_report
from analysis.report.findings import sentences
from analysis.report.measured_study import MeasuredStudy
from study.errors import IntegrityError
from tests.analysis.invented import HEIGHT, Invented, Place, comes_back
from tests.analysis.truth import Truth, check

UNSAID, HOLDS, DOES_NOT = "cannot be said", "holds", "does not hold"


def high_in(name: str, rates: dict[object, float], rest: float = 0.0) -> Callable[[Place], float]:
    """A rate by one coordinate, once something was relearned."""
    return lambda place: rates.get(place[name], rest) if place["relearn_steps"] else 0.0


def everywhere(*verdicts: str) -> dict[str, frozenset[str]]:
    """The same verdicts for every corpus."""
    return dict.fromkeys(HEIGHT, frozenset(verdicts))


def alike(height: float) -> Callable[[Place], float]:
    """The same rise on every corpus."""
    return lambda place: comes_back(place, height)


def honest(place: Place) -> float:
    return Invented().unlearned(place)


def of_model(known: str, otherwise: float) -> Callable[[Place], float]:
    return lambda place: honest(place) if place["model"] == known else otherwise


@dataclass(frozen=True)
class Case:
    """A study, and what is true of it.

    Attributes:
        says, says_not: patterns among its sentences.
        back: corpus → the verdicts that may stand on "brings back more than it teaches the control".
        corpora: "one above other" → the verdict.
        stated: a statement → the verdicts that may stand on it; none where it must not be stated.
        claims: a word of a paper's claim → whether it holds.
        device: whose cells are looked at, of a study that several computed.
    """

    study: Invented
    says: tuple[str, ...] = ()
    says_not: tuple[str, ...] = ()
    back: dict[str, frozenset[str]] = field(default_factory=dict)
    corpora: dict[str, str] = field(default_factory=dict)
    stated: dict[str, frozenset[str]] = field(default_factory=dict)
    claims: dict[str, bool | None] = field(default_factory=dict)
    device: str | None = None


def peaked(place: Place) -> float:
    """``prefix`` comes back at step 5 and is gone at step 40."""
    if place["corpus"] == "prefix":
        return {0: 0.0, 5: 0.68 + 0.02 * place["seed"], 40: 0.0}[place["relearn_steps"]]
    return honest(place)


def undecided(place: Place) -> float:
    """One seed for, one against, and one between."""
    return {0: 0.0, 1: 0.4, 2: 0.9}[place["seed"]] if place["relearn_steps"] else 0.0


def shorter(place: Place) -> bool:
    return place["corpus"] == "prefix" and place["relearn_steps"] > 20


NO_ZERO_HAS_A_SIGN = r"(?<![\w.])[-−]0(?:\.0+)?(?![\w.])"
NOTHING_ELSE = ("knowledge coming back", "reached at most", "started from a model")
CASES = {
    # The audit's sixteen.
    "control-as-much": Case(
        Invented(unlearned=alike(0.6), never_learned=alike(0.6)),
        says=(r"^This control is not clean", "0 recovered at the last step"),
        back=everywhere(UNSAID, DOES_NOT),
        claims={"never learned": False},
    ),
    "control-dirty-on-gibberish": Case(
        Invented(never_learned=high_in("corpus", {"gibberish": 0.62})),
        says=(r"^This control is not clean: .*corpus gibberish",),
        says_not=("corpus prefix, r",),
        back={"prefix": frozenset({HOLDS}), "gibberish": frozenset({DOES_NOT})},
        corpora={"prefix above gibberish": HOLDS},
    ),
    "dirty-in-one-model": Case(
        Invented(models=("a", "b"), never_learned=high_in("model", {"b": 0.85})),
        says=(r"^This control is not clean: [^;]*model b",),
        says_not=("model a, corpus",),
    ),
    "nothing-in-one-model": Case(
        Invented(models=("a", "b"), unlearned=of_model("a", 0.0)),
        says=(
            r"^a, gradient_ascent: .*prefix.*: holds",
            r"^b, gradient_ascent: .*prefix.*: (does not hold|cannot be said)",
        ),
        claims={"gibberish: difference (a,": True, "gibberish: difference (b,": None},
    ),
    "models-are-no-seeds": Case(
        Invented(models=("a", "b"), seeds=(0,), unlearned=of_model("a", 0.3)),
        says=("^One seed was run",),
        says_not=("2 seeds", ": holds"),
    ),
    "base-answers": Case(
        Invented(base=lambda place: 0.7),
        says=(r"^This control is not clean: the base model reaches 70% ",),
        says_not=(": holds",),
    ),
    "original-never-knew": Case(
        Invented(original=lambda place: 0.03, unlearned=alike(0.04)),
        says=("0 are of a model that knew", "nothing here is about forgotten knowledge"),
        says_not=("brings back", "recovered"),
        claims={"deeper": None, "gibberish: difference": None},
    ),
    "all-100": Case(
        Invented(
            unlearned=lambda _: 1.0, original=lambda _: 1.0, never_learned=lambda _: 1.0, base=lambda _: 1.0
        ),
        says=("^This control is not clean", "0 of these had forgotten"),
        says_not=("brings back",),
    ),
    "all-0": Case(
        Invented(unlearned=lambda _: 0.0, original=lambda _: 0.0),
        says=("0 are of a model that knew",),
        says_not=("brings back",),
        claims={"gibberish: difference": None},
    ),
    "all-0-and-known": Case(
        Invented(unlearned=lambda _: 0.0, asked=100),
        says=("18 of these had forgotten", "0 recovered at the last step"),
        back=everywhere(DOES_NOT),
        corpora={"prefix above retain": UNSAID, "prefix above gibberish": UNSAID},
        claims={"gibberish: difference": None, "deeper": None},
    ),
    "peak-then-fall": Case(
        Invented(unlearned=peaked),
        says=(
            r"recovered at the last step .*, ([6-9]|1\d) at their best step",
            r"^Relearning prefix brings .* control, at its best step \(5\): holds \(\+70 points",
            r"^Relearning prefix brings back more than it teaches the control: does not hold, since any effect is",
        ),
        says_not=("never",),
    ),
    "utility-destroyed": Case(
        Invented(retain=lambda place: 1.0 if place["start"] == "original" else 0.0),
        says=("^All 18 were unlearned by destruction", "none of them was intact"),
    ),
    "one-seed": Case(
        Invented(seeds=(0,)),
        says=("^One seed was run",),
        says_not=(": holds", ": does not hold"),
        corpora={"prefix above gibberish": UNSAID},
        claims={"gibberish: difference": None},
    ),
    "limit-of-its-own-original": Case(
        Invented(
            scenario="tofu",
            metric="keyword_hit",
            repetitions=(7, 1),
            original=lambda place: 0.9 if place["repetitions"] == 7 else 0.02,
            unlearned=lambda place: (
                honest(place) if place["repetitions"] == 7 else 0.2 if place["relearn_steps"] else 0.1
            ),
        ),
        says=("Of 36 benign relearnings, 18 are of a model that knew", "18 of these had forgotten"),
    ),
    "below-the-control": Case(
        Invented(unlearned=alike(0.1), never_learned=alike(0.35)),
        says=("^This control is not clean", "0 recovered at the last step"),
        back=everywhere(UNSAID, DOES_NOT),
        says_not=("reached more",),
    ),
    "fewer-steps-on-one-corpus": Case(
        Invented(steps=(0, 5, 20, 40), without=shorter),
        says=(
            "Of 18 benign relearnings",
            r"different numbers of steps \(prefix 20, retain 40, gibberish 40\)",
        ),
        corpora={"prefix above retain": HOLDS},
    ),
    # Ours.
    "methods-with-hyperparameters": Case(
        Invented(
            methods=("npo", "npo(beta=0.2)"),
            unlearned=lambda place: honest(place) if place["method"] == "npo" else 0.0,
        ),
        says=(
            "^m, npo: .*prefix.*: holds",
            r"^m, npo\(beta=0\.2\): .*prefix.*: (does not hold|cannot be said)",
        ),
    ),
    "no-original": Case(
        Invented(starts=("unlearned", "never_learned", "base")),
        says=("no original model was asked",),
        says_not=("brings back", "recovered at"),
    ),
    "no-control": Case(
        Invented(starts=("unlearned", "original")),
        says=("^There is no control that never learned", "it cannot be said whether they recovered"),
        says_not=("brings back",),
    ),
    "base-answers-in-one-seed": Case(
        Invented(base=lambda place: 0.55 if place["seed"] == 2 else 0.0),
        says=(r"^This control is not clean: the base model reaches 55% .*seed 2",),
    ),
    "matched-control-regains-all": Case(
        Invented(
            control_depths=(0, 8, 12),
            never_learned=lambda place: honest(place) if place["depth"] else 0.0,
        ),
        says=("^This control is not clean: .*unlearned to depth", "0 recovered at the last step"),
        back=everywhere(UNSAID, DOES_NOT),
    ),
    "one-method-destroys": Case(
        Invented(
            methods=("gradient_ascent", "scrub"),
            retain=lambda place: 1.0 if place["method"] != "gradient_ascent" else 0.05,
        ),
        says=("^m, gradient_ascent: all 18 were unlearned by destruction",),
        says_not=("^m, scrub: .*destruction",),
    ),
    "graded-scores": Case(
        Invented(
            scenario="whp-verbatim",
            metric="rouge_l",
            asked=8,
            repetitions=(1,),
            original=lambda _: 0.85,
            unlearned=lambda place: 0.15 + comes_back(place, 0.7 * HEIGHT[place["corpus"]]),
            never_learned=lambda _: 0.15,
            base=lambda _: 0.1,
        ),
        says=("^This control is not clean", "18 of these had forgotten"),
    ),
    "a-corpus-lacks-a-seed": Case(
        Invented(without=lambda place: place["corpus"] == "retain" and place["seed"] == 2),
        says=("Of 16 benign relearnings",),
    ),
    "names-keep-their-case": Case(
        Invented(models=("modelA",), corpora=("eBooks", "gibberish")),
        says=("eBooks",),
        says_not=("ModelA", "EBooks"),
    ),
    "seeds-disagree": Case(
        Invented(unlearned=undecided),
        back=everywhere(UNSAID),
        says=("no effect of up to 100 points could have been seen",),
        says_not=(": holds", ": does not hold"),
    ),
    "seeds-of-two-devices": Case(
        Invented(device=lambda place: "cpu" if place["seed"] else "NVIDIA H100"),
        says=("^These are the cells that were computed on cpu: ", "Of 12 benign relearnings"),
        device="cpu",
    ),
    "original-on-another-device": Case(
        Invented(device=lambda place: "NVIDIA H100" if place["start"] == "original" else "cpu"),
        says=("^These are the cells that were computed on cpu: 3 cells ", "no original model was asked here"),
        says_not=("brings back",),
        device="cpu",
    ),
    "only-the-answer-itself": Case(
        Invented(corpora=("direct",), malign=("direct",), unlearned=alike(0.9)),
        says=("^No benign corpus has been relearned yet",),
        says_not=("brings back",),
    ),
    "known-in-one-seed": Case(
        Invented(original=lambda place: 0.9 if place["seed"] == 1 else 0.2),
        says=("6 are of a model that knew",),
        says_not=(": holds",),
    ),
    "falls-and-stays-above": Case(
        Invented(
            scenario="tofu",
            metric="keyword_hit",
            asked=100,
            depths=(8,),
            corpora=("prefix", "gibberish"),
            unlearned=lambda place: {0: 0.2, 5: 0.18, 40: 0.16}[place["relearn_steps"]],
        ),
        says=(r"^Relearning prefix .* control: .*does not raise the score \(20% before, 16% after\)",),
        says_not=(": holds",),
        back={"prefix": frozenset({DOES_NOT, UNSAID}), "gibberish": frozenset({DOES_NOT, UNSAID})},
    ),
    "left-behind-by-shallow-unlearning": Case(
        Invented(
            scenario="tofu",
            metric="keyword_hit",
            asked=100,
            unlearned=lambda place: 0.2 if place["depth"] == 8 else 0.0,
        ),
        says_not=(": holds",),
        stated={"prefix: unlearned less deeply, more comes back": frozenset({DOES_NOT, UNSAID})},
    ),
    "a-seed-stopped": Case(
        Invented(
            seeds=(0, 1, 2, 3),
            without=lambda place: (
                place["seed"] == 3
                and place["start"] == "unlearned"
                and (place["relearn_steps"] > 5 or place["corpus"] != "prefix")
            ),
        ),
        says=(
            r"^Relearning prefix .*: holds \(.*, 4 seeds, at 5 to 40 relearn steps",
            r"^Relearning retain .*: holds \(.*, 3 of 4 seeds",
        ),
    ),
    "graded-and-equal-in-all-seeds": Case(
        Invented(
            scenario="whp-verbatim",
            metric="rouge_l",
            repetitions=(1,),
            original=lambda _: 0.85,
            unlearned=lambda place: 0.1 + (0.7 * HEIGHT[place["corpus"]] if place["relearn_steps"] else 0.0),
            never_learned=lambda _: 0.05,
            base=lambda _: 0.05,
        ),
        says=("^Relearning prefix .* cannot be said, since all seeds give the same number",),
        says_not=(": holds", r"\([+-]\d+ to [+-]\d+\)"),
        back=everywhere(UNSAID),
    ),
    "rated-by-a-judge": Case(
        Invented(
            scenario="wmdp",
            metric="judge_rating",
            repetitions=(1,),
            asked=30,
            original=lambda _: 0.8,
            unlearned=lambda place: 0.02 + honest(place),
        ),
        says=("18 of these had forgotten", "^Relearning prefix .*: holds"),
        says_not=("not clean",),
        back={"gibberish": frozenset({DOES_NOT, UNSAID})},
    ),
    "a-judge-that-gives-none-for-some": Case(
        Invented(
            scenario="wmdp",
            metric="judge_rating",
            repetitions=(1,),
            asked=30,
            original=lambda _: 0.8,
            unlearned=lambda place: 0.02 + honest(place),
            unrated=lambda place, number: (number + place["seed"] + place["relearn_steps"]) % 3 == 0,
        ),
        says=("18 of these had forgotten", r"^[\d,]+ of [\d,]+ answers have no judge's rating"),
        says_not=("not clean",),
    ),
    "retain-never-asked": Case(
        Invented(splits=("forget",)),
        says=("whether they were intact is not known", "no retain probe was asked"),
        says_not=("none of them was intact", "0 were intact"),
    ),
    "methods-of-other-steps": Case(
        Invented(
            asked=100,
            methods=("gradient_ascent", "scrub"),
            without=lambda place: place["method"] == "gradient_ascent" and place["relearn_steps"] == 40,
        ),
        says=("gradient_ascent, prefix 5,",),
        stated={
            "what gradient_ascent made forget comes back more than what scrub did": frozenset(
                {DOES_NOT, UNSAID}
            )
        },
    ),
    "matched-control-of-one-method": Case(
        Invented(
            methods=("gradient_ascent", "scrub"),
            control_depths=(0, 8, 12),
            never_learned=lambda place: 0.4 if place["depth"] and place["relearn_steps"] else 0.0,
            unlearned=lambda place: 0.45 + 0.02 * place["seed"] if place["relearn_steps"] else 0.0,
        ),
        says=("^18 of 36 relearnings have no matched control, .*scrub",),
        stated={"what gradient_ascent made forget comes back more than what scrub did": frozenset()},
    ),
}


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[str], tuple[MeasuredStudy, Truth]]:
    def make(name: str) -> tuple[MeasuredStudy, Truth]:
        made, device = CASES[name].study, CASES[name].device
        folder = made.write(tmp_path / name)
        study = MeasuredStudy.of(analysis.load(folder, device=device).parts[0])
        return study, Truth(folder, made.scenario, made.metric, device)

    return make


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


def test_the_flow_is_that_of_the_rows(measured) -> None:
    for name in (
        "limit-of-its-own-original",
        "utility-destroyed",
        "matched-control-regains-all",
        "graded-scores",
    ):
        study, truth = measured(name)
        rows = flow(study)
        assert len(rows) == len(truth.relearnings)
        for each in truth.relearnings:
            place = {
                key: getattr(each, key)
                for key in ("model", "method", "repetitions", "depth", "corpus", "seed")
            }
            (row,) = rows[(rows[list(place)] == list(place.values())).all(axis=1)].to_dict("records")
            assert (row["known"], row["forgotten"], row["intact"]) == (
                each.known,
                each.forgotten,
                each.intact,
            )
            net = each.net[each.last]
            assert row["net"] == pytest.approx(float("nan") if net is None else net, nan_ok=True)


def test_a_cell_with_two_rows_is_an_error(tmp_path: Path) -> None:
    folder = Invented(seeds=(0,)).write(tmp_path / "twice")
    path = folder / "results" / "cells" / "all.parquet"
    path.with_name("again.parquet").write_bytes(path.read_bytes())
    with pytest.raises(IntegrityError, match=r"a cell has two rows \(scenario names, model m, "):
        net_recovery(analysis.load(folder).parts[0])


def test_two_models_make_a_page_that_keeps_them_apart(tmp_path: Path) -> None:
    made = replace(
        CASES["nothing-in-one-model"].study, probes=True, seeds=(0, 1), corpora=("prefix", "gibberish")
    )
    study = MeasuredStudy.of(analysis.load(made.write(tmp_path / "two")).parts[0])
    text = write_report(study.folder).read_text(encoding="utf-8")
    assert "Which relearnings count" in text
    assert "What can be said" in text
    table = experiments(study)
    numbers = table[(table["paper"] != "holds") & table["ours"].notna()]
    assert set(numbers["model"]) == {"a", "b"}, "neither is dropped"


def test_answers_without_a_rating_take_no_other_away(tmp_path: Path) -> None:
    """Each rate of a trajectory is the mean that stands in its cell, over all seeds, probes that lack one included."""
    made = CASES["a-judge-that-gives-none-for-some"].study
    study = analysis.load(made.write(tmp_path / "some")).parts[0]
    (row,) = (
        analysis.trajectories(study)
        .query("start == 'unlearned' and depth == 8 and corpus == 'prefix'")
        .to_dict("records")
    )
    cells = study.headline_cells.query("start == 'unlearned' and depth == 8 and corpus == 'prefix'")
    last = cells.loc[cells["relearn_steps"] == 40, "value"]
    assert (row["final"], row["seeds"], row["probes"]) == (pytest.approx(last.mean()), 3, made.asked)
    assert 1 <= row["final_low"] < row["final"] < row["final_high"] <= 10
