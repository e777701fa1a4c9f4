"""Two studies against each other: what is shared, what differs, and clear words where nothing is."""

import json
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.measures.study_comparison import compare_studies, in_words
from tests.analysis.conftest import lawful
from tests.analysis.invented import Invented
from tests.commands import call


@pytest.fixture
def two(study_folder, tmp_path: Path):
    """Two folders, made one after the other."""

    def make(first: dict, second: dict, spec: dict | None = None) -> tuple[Path, Path]:
        one = study_folder(**first).rename(tmp_path / "one")
        other = study_folder(**second).rename(tmp_path / "other")
        content = json.loads((other / "study.json").read_text())
        content["spec"].update(spec or {})
        (other / "study.json").write_text(json.dumps(content))
        return one, other

    return make


def test_the_same_study_is_the_same_to_the_bit(two) -> None:
    one, other = map(analysis.load, two({"rate": lawful}, {"rate": lawful}))
    found = compare_studies(one, other)
    assert (found.spec, found.shared, found.equal, found.only_first) == ([], 324, 324, 0)
    title = one.content["spec"]["name"]
    assert found.names == (f"{title} (one)", f"{title} (other)"), "of one name, so by their folders"
    assert [pair.difference for pair in found.overall] == [0, 0]
    assert [pair.place["start"] for pair in found.overall] == ["unlearned", "never_learned"]
    assert "324 of the 324 shared cells have the same keyword_anywhere to the bit" in found.verdict()


def test_differences_are_second_minus_first_over_what_both_have(two) -> None:
    """The first study has one seed and corpus more; at depth 8 the second recovers 10 points less."""

    def weaker(depth: int, relearn_steps: int, start: str, **place) -> float:
        value = lawful(depth=depth, relearn_steps=relearn_steps, start=start, **place)
        return max(0.0, value - 0.1 * (depth == 8))

    folders = two(
        {"rate": lawful},
        {"rate": weaker, "corpora": ("prefix", "retain"), "seeds": (0, 1), "depths": (8, 10)},
        {"unlearn": {"learning_rate": 1.0}},
    )
    one, other = map(analysis.load, folders)
    found = compare_studies(one, other)
    # Shared: start unlearned at depth 8, and never_learned, each × 2 corpora × 2 seeds × 4 counts × 3 steps.
    assert found.shared == 2 * 2 * 2 * 4 * 3
    assert found.only_first == 324 - found.shared
    assert found.only_second == 2 * 2 * 4 * 3
    assert found.spec == [("unlearn.learning_rate", "–", "1.0")]
    (pair,) = [
        each
        for each in found.pairs
        if each.place["corpus"] == "prefix"
        and each.place["repetitions"] == 7
        and each.place["relearn_steps"] == 40
        and each.place["start"] == "unlearned"
    ]
    rates = [
        np.mean([round(100 * f(7, 8, "prefix", 40, "unlearned", seed)) for seed in (0, 1)])
        for f in (
            lambda r, d, c, s, st, seed: lawful(r, d, c, s, st, seed),
            lambda r, d, c, s, st, seed: weaker(d, s, st, repetitions=r, corpus=c, seed=seed),
        )
    ]
    assert (pair.first, pair.second) == pytest.approx((rates[0] / 100, rates[1] / 100))
    assert pair.seeds == 2


def test_places_that_differ_without_an_interval_are_no_places_without_a_difference(tmp_path: Path) -> None:
    """Cells alone, without single answers: no place has an interval."""
    height = {"one": 0.2, "other": 0.8}
    folders = [
        Invented(unlearned=lambda place, rate=rate: rate * (place["relearn_steps"] > 0)).write(
            tmp_path / name
        )
        for name, rate in height.items()
    ]
    said = compare_studies(*map(analysis.load, folders)).verdict()
    assert "12 places differ and have no interval" in said
    assert "In 0 of" in said, "the controls are at 0 in both"


def test_paired_answers_have_an_interval(two) -> None:
    """Every query answered in every seed of the first study, none in the second."""
    folders = two(
        {"rate": lambda start, relearn_steps, **_: float(start == "unlearned" and relearn_steps == 40)},
        {"rate": lambda **_: 0.0},
    )
    found = compare_studies(*map(analysis.load, folders))
    fell = [pair for pair in found.pairs if pair.first == 1.0]
    assert len(fell) == 2 * 3 * 4
    assert all((pair.difference, pair.seeds, pair.probes) == (-1.0, 3, 100) for pair in fell)
    words = "\n".join(in_words(found))
    assert "100.0% → 0.0%, -100.0" in words


def test_probes_that_ask_something_else_are_not_paired(two, study_folder) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from study.results.files import write_table
    from study.results.schema import PROBES

    one, other = two({"rate": lawful}, {"rate": lawful})
    path = other / "results" / "probes" / "all.parquet"
    rows = pq.read_table(path)
    prompts = pa.array(["Another Anthony"] * rows.num_rows)
    write_table(rows.set_column(rows.schema.get_field_index("prompt"), PROBES.field("prompt"), prompts), path)
    found = compare_studies(analysis.load(one), analysis.load(other))
    assert found.shared == 324
    assert all(np.isnan(pair.low) and pair.probes == 0 for pair in found.pairs)


def test_spaces_without_a_cell_in_common_get_a_clear_answer(two) -> None:
    one, other = two(
        {"rate": lawful}, {"rate": lambda **_: 0.5, "corpora": ("other",)}, {"corpus": ["other"]}
    )
    code, output = call("compare", one, other, cwd=one.parent)
    assert code == 0, output
    assert (
        "Nothing to compare: of 324 and 108 cells scored by keyword_anywhere none has the same coordinates"
        in output
    )
    assert "corpus: – → other" in output
    found = json.loads(call("compare", one, other, "--json", cwd=one.parent)[1])
    assert (found["shared"], found["pairs"], found["overall"]) == (0, [], [])


def test_a_study_without_rows_has_nothing_to_compare(two) -> None:
    one, other = two({"rate": lawful}, {"rate": lambda **_: None})
    found = compare_studies(analysis.load(one), analysis.load(other))
    assert found.metric is None
    assert found.verdict() == f"{other}: no cell has rows yet, so nothing can be compared."


def test_a_study_against_itself_is_zero_without_an_interval(study_folder) -> None:
    """Nothing is estimated where every answer is the same one: a difference of 0, no interval, no sign."""
    folder = study_folder(lawful, seeds=(0, 1))
    study = analysis.load(folder)
    found = compare_studies(study, study)
    assert found.overall
    for pair in (*found.pairs, *found.overall):
        assert (pair.difference, np.isnan(pair.low), np.isnan(pair.high)) == (0, True, True)
        assert not pair.apart
    words = "\n".join(in_words(found))
    assert "all shared cells, method gradient_ascent, start unlearned" in words
    assert ", +0.0, 2 seeds" in words, "and nothing in brackets"
    assert found.verdict().startswith("216 of the 216 shared cells have the same keyword_anywhere to the bit")


def test_no_zero_has_a_sign(two) -> None:
    """Seeds that differ by one answer up and one down: less than half a point, and no "-0.0"."""
    moved = {0: 0.01, 1: -0.01, 2: 0.0}
    folders = two(
        {"rate": lambda **_: 0.5, "corpora": ("prefix", "retain")},
        {"rate": lambda seed, **_: 0.5 + moved[seed], "corpora": ("prefix", "retain")},
    )
    words = "\n".join(in_words(compare_studies(*map(analysis.load, folders))))
    assert "+0.0 (" in words
    assert "-0.0" not in words
