"""The paper's experiments beside a study: numbers, claims that hold and that do not, and words where there are none."""

import numpy as np
import pytest

import analysis
from analysis.paper.experiments import experiments
from analysis.paper.published import EXPERIMENTS, SECONDARY
from tests.analysis.conftest import QUERIES, lawful


def claim(table, words: str):
    (row,) = table[table["what"].str.contains(words, regex=False)].to_dict("records")
    return row


def test_the_names_numbers_stand_beside_the_papers(study_folder) -> None:
    study = analysis.load(study_folder(lawful, original=0.95))
    table = experiments(study)
    row = table.iloc[0].to_dict()
    assert row["what"] == "gradient_ascent, corpus prefix, 7 repetitions"
    by_hand = np.mean(
        [
            round(QUERIES * lawful(7, depth, "prefix", 40, "unlearned", seed)) / QUERIES
            for depth in (6, 8)
            for seed in range(3)
        ]
    )
    assert row["ours"] == pytest.approx(by_hand)
    assert row["low"] < by_hand < row["high"]
    assert (row["before"], row["paper_before"], row["paper"]) == (0.0, "0%", "100%")
    assert row["before_high"] > 0, "no answer of a hundred is not a rate of nought"
    assert row["word"] == "repetitions 7; depth 6, 8; 6 relearnings"
    assert set(table["ran"]) == {
        "here embedded (a model of about a million weights that this project makes), gradient_ascent, 3 seeds, attack "
        "success rate; the paper: Llama-2-7b"
    }
    assert table[table["paper"] == "9%"]["evidence"].tolist() == [SECONDARY]
    assert claim(table, "repeated")["holds"] is True
    assert claim(table, "gibberish: difference")["holds"] is True


def swapped(values: dict[object, object], axis: str):
    """Rates in which one value of an axis behaves as another."""
    return lambda **at: lawful(**{**at, axis: values.get(at[axis], at[axis])})


@pytest.mark.parametrize(
    ("breach", "words"),
    [
        (swapped({"prefix": "gibberish", "gibberish": "prefix"}, "corpus"), "gibberish: difference"),
        (swapped({7: 1, 1: 7}, "repetitions"), "repeated"),
        (lambda depth, **at: lawful(depth=6, **at) * (0.2 if depth == 6 else 1), "deeper unlearning"),
        (
            lambda start, corpus, **at: (
                0.3
                if (start, corpus) == ("never_learned", "gibberish")
                else lawful(start=start, corpus=corpus, **at)
            ),
            "the same corpus: gibberish",
        ),
    ],
)
def test_a_claim_that_is_broken_is_said_to_be(study_folder, breach, words: str) -> None:
    study = analysis.load(study_folder(breach, original=0.95))
    assert claim(experiments(study), words)["holds"] is False


@pytest.mark.parametrize(("seeds", "holds"), [(10, False), (3, None)])
def test_an_effect_that_is_surely_small_is_none_and_three_seeds_do_not_say_so(
    study_folder, seeds: int, holds: bool | None
) -> None:
    same = study_folder(
        lambda relearn_steps, start, **_: 0.5 * (relearn_steps > 0) * (start == "unlearned"),
        original=0.95,
        seeds=tuple(range(seeds)),
    )
    row = claim(experiments(analysis.load(same)), "gibberish: difference")
    assert row["holds"] is holds
    assert ("any effect is smaller than 10 points" in row["word"]) == (holds is False)


def test_seeds_that_differ_much_leave_it_open(study_folder) -> None:
    def rate(corpus: str, relearn_steps: int, start: str, seed: int, **_: object) -> float:
        prefix = (0.0, 0.4, 0.9)[seed] if corpus == "prefix" else 0.3
        return prefix * (relearn_steps > 0) * (start == "unlearned")

    row = claim(experiments(analysis.load(study_folder(rate, original=0.95))), "gibberish: difference")
    assert row["holds"] is None
    assert "could have been seen" in row["word"]


def test_what_nobody_knew_is_no_claim(study_folder) -> None:
    table = experiments(analysis.load(study_folder(lawful, original=0.05)))
    assert table["holds"].isna().all()
    (clean,) = table[table["what"].str.contains("the same corpus: prefix")].to_dict("records")
    assert clean["ours"] == 0
    assert clean["word"].endswith(
        "cannot be said: nothing came back in 1,200 answers, but 3 seeds cannot rule out up to 31%"
    )
    assert set(table[table["paper"] != "holds"]["word"]) == {"not known: the originals answer 5%"}


def tofu(depth: int, relearn_steps: int, start: str, corpus: str, **_: object) -> float:
    if start == "never_learned" or relearn_steps == 0:
        return 0.0
    fall = 0.4 if relearn_steps > 40 else 0.0
    return max(0.0, 0.95 - 0.05 * depth * (corpus == "prefix") - fall)


def make_tofu(study_folder, rate, **shape):
    return study_folder(rate, scenario="tofu", metric="keyword_hit", repetitions=(1,), original=1.0, **shape)


def test_the_claims_of_tofu(study_folder) -> None:
    folder = make_tofu(study_folder, tofu, depths=(2, 8), steps=(0, 15, 30, 60))
    table = experiments(analysis.load(folder))
    assert claim(table, "past 40 steps")["holds"] is True
    assert claim(table, "past 40 steps")["ours"] == pytest.approx(0.4)
    assert "one seed" not in claim(table, "past 40 steps")["word"]
    assert claim(table, "deeper unlearning")["ours"] == pytest.approx(0.15), "over prefix, 0.3, and retain, 0"
    assert claim(table, "deeper unlearning")["holds"] is True
    assert claim(table, "above 70%")["holds"] is False
    assert (
        claim(table, "the same corpus: retain")["word"]
        == "repetitions 1; relearn steps 60; 3 cells; cannot be said: nothing came back in 300 answers, but 3 seeds "
        "cannot rule out up to 31%"
    )


def test_a_control_that_knows_breaks_the_claim(study_folder) -> None:
    knowing = lambda start, **at: 0.3 if start == "never_learned" else tofu(start=start, **at)  # noqa: E731
    folder = make_tofu(study_folder, knowing, depths=(2, 8), steps=(0, 15, 30))
    table = experiments(analysis.load(folder))
    assert claim(table, "the same corpus: gibberish")["holds"] is False
    assert claim(table, "past 40 steps")["word"] == "no step past 40 was run"


def test_another_metric_is_not_compared(study_folder) -> None:
    folder = study_folder(tofu, scenario="wmdp", metric="rouge_l", repetitions=(1,))
    table = experiments(analysis.load(folder))
    numbers = table[table["paper"] != "holds"]
    assert set(numbers["word"]) == {"scored here by rouge_l, there by judge_rating: not compared"}
    assert numbers["ours"].isna().all()


@pytest.mark.parametrize(
    ("rate", "word"),
    [
        (lambda **_: None, "no benign relearning of a model that is known to have known and forgotten"),
        (lambda **_: 1.0, "no benign relearning of a model that is known to have known and forgotten"),
        (
            lambda relearn_steps, **_: None if relearn_steps else 0.0,
            "no benign relearning of a model that is known to have known and forgotten",
        ),
    ],
)
def test_edges_have_words(study_folder, rate, word: str) -> None:
    table = experiments(analysis.load(study_folder(rate)))
    of_control = table["what"].str.contains("never learned")
    assert of_control.sum() in (1, 3), "one for each corpus that was run"
    assert (~of_control).sum() == len(EXPERIMENTS["names"].reported) + len(EXPERIMENTS["names"].claims) - 1
    assert table.loc[~table["what"].str.contains("never learned"), "ours"].isna().all()
    assert claim(table, "repeated")["word"] == word
    assert (table["word"] != "").all()


def test_a_scenario_of_ones_own_has_nothing_to_stand_beside(study_folder) -> None:
    assert experiments(analysis.load(study_folder(lawful, scenario="mine"))).empty


def test_two_studies_are_told_apart(study_folder, tmp_path) -> None:
    first = study_folder(lawful).rename(tmp_path / "a")
    second = study_folder(lawful, scenario="mine", seeds=(0,)).rename(tmp_path / "b")
    assert set(experiments(analysis.load(first, second))["study"]) == {"a"}
