"""The paper's experiments beside a study: numbers, claims that hold and that do not, and words where there are none."""

import numpy as np
import pytest

import analysis
from analysis.paper.experiments import experiments
from analysis.paper.published import EXPERIMENTS, SECONDARY
from study.results.files import dataset_files
from tests.analysis.conftest import QUERIES, lawful


def claim(table, words: str):
    (row,) = table[table["what"].str.contains(words, regex=False)].to_dict("records")
    return row


def test_the_names_numbers_stand_beside_the_papers(study_folder) -> None:
    study = analysis.load(study_folder(lawful))
    table = experiments(study)
    row = table.iloc[0].to_dict()
    assert row["what"] == "gradient_ascent, corpus prefix, 7 repetitions"
    by_hand = np.mean([round(QUERIES * (0.9 - 0.01 * seed)) / QUERIES for seed in range(3)])
    assert row["ours"] == pytest.approx(by_hand)
    assert row["low"] < by_hand < row["high"]
    assert (row["before"], row["paper_before"], row["paper"]) == (0.0, "0%", "100%")
    assert row["before_high"] > 0, "no answer of a hundred is not a rate of nought"
    assert row["word"] == "depth 6, 40 steps"
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
        (lambda start, **at: 0.3 if start == "never_learned" else lawful(start=start, **at), "never learned"),
    ],
)
def test_a_claim_that_is_broken_is_said_to_be(study_folder, breach, words: str) -> None:
    assert claim(experiments(analysis.load(study_folder(breach))), words)["holds"] is False


def test_what_cannot_be_told_is_open(study_folder) -> None:
    same = study_folder(lambda relearn_steps, start, **_: 0.5 * (relearn_steps > 0) * (start == "unlearned"))
    row = claim(experiments(analysis.load(same)), "gibberish: difference")
    assert row["holds"] is None
    assert "the interval holds both" in row["word"]


def tofu(depth: int, relearn_steps: int, start: str, corpus: str, **_: object) -> float:
    if start == "never_learned" or relearn_steps == 0:
        return 0.0
    fall = 0.4 if relearn_steps > 40 else 0.0
    return max(0.0, 0.95 - 0.05 * depth * (corpus == "prefix") - fall)


def make_tofu(study_folder, rate, **shape):
    return study_folder(rate, scenario="tofu", metric="keyword_hit", repetitions=(1,), **shape)


def with_original(folder):
    """An original model that answers everything, which is what unlearned is measured against."""
    import pyarrow as pa

    from study.results.files import read_dataset, write_table
    from study.results.schema import CELLS

    rows = [row for row in read_dataset(folder, "cells").to_pylist() if row["relearn_steps"] == 0][:2]
    for row in rows:
        row.update(start="original", method="none", depth=0, corpus="none", k=100, n=100, value=1.0)
    write_table(
        pa.Table.from_pylist(rows[:1], schema=CELLS), dataset_files(folder, "cells")[0].with_name("o.parquet")
    )
    return folder


def test_the_claims_of_tofu(study_folder) -> None:
    folder = with_original(make_tofu(study_folder, tofu, depths=(2, 8), steps=(0, 15, 30, 60)))
    table = experiments(analysis.load(folder))
    assert claim(table, "past 40 steps")["holds"] is True
    assert claim(table, "past 40 steps")["ours"] == pytest.approx(0.4)
    assert claim(table, "deeper unlearning")["ours"] == pytest.approx(0.3)
    assert claim(table, "deeper unlearning")["holds"] is True
    assert claim(table, "above 70%")["holds"] is False
    assert claim(table, "never learned")["holds"] is True
    assert claim(table, "never learned")["word"] == "prefix, 60 steps: none answered"


def test_a_control_that_knows_breaks_the_claim(study_folder) -> None:
    knowing = lambda start, **at: 0.3 if start == "never_learned" else tofu(start=start, **at)  # noqa: E731
    folder = with_original(make_tofu(study_folder, knowing, depths=(2, 8), steps=(0, 15, 30)))
    table = experiments(analysis.load(folder))
    assert claim(table, "never learned")["holds"] is False
    assert claim(table, "past 40 steps")["word"] == "no step past 40 was run"


def test_another_metric_is_not_compared(study_folder) -> None:
    folder = with_original(study_folder(tofu, scenario="wmdp", metric="rouge_l", repetitions=(1,)))
    table = experiments(analysis.load(folder))
    numbers = table[table["paper"] != "holds"]
    assert set(numbers["word"]) == {"scored here by rouge_l, there by judge_rating: not compared"}
    assert numbers["ours"].isna().all()


@pytest.mark.parametrize(
    ("rate", "word"),
    [
        (lambda **_: None, "no relearned model that counts as unlearned"),
        (lambda **_: 1.0, "no relearned model that counts as unlearned"),
        (
            lambda relearn_steps, **_: None if relearn_steps else 0.0,
            "no relearned model that counts as unlearned",
        ),
    ],
)
def test_edges_have_words(study_folder, rate, word: str) -> None:
    table = experiments(analysis.load(study_folder(rate)))
    assert len(table) == len(EXPERIMENTS["names"].reported) + len(EXPERIMENTS["names"].claims)
    assert table.loc[~table["what"].str.contains("never learned"), "ours"].isna().all()
    assert claim(table, "repeated")["word"] == word
    assert (table["word"] != "").all()


def test_a_scenario_of_ones_own_has_nothing_to_stand_beside(study_folder) -> None:
    assert experiments(analysis.load(study_folder(lawful, scenario="mine"))).empty


def test_two_studies_are_told_apart(study_folder, tmp_path) -> None:
    first = study_folder(lawful).rename(tmp_path / "a")
    second = study_folder(lawful, scenario="mine", seeds=(0,)).rename(tmp_path / "b")
    assert set(experiments(analysis.load(first, second))["study"]) == {"a"}
