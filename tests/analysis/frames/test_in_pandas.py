"""What a person types into a notebook: words for what is not there, a short repr, the best attacks, a drawn surface."""

from types import SimpleNamespace

import pandas as pd
import pytest

import analysis
from study.errors import SpecError

WHICH = {"corpus": "prefix", "repetitions": 7, "start": "unlearned"}


@pytest.fixture
def study(study_folder):
    strong = {"prefix": 0.8, "retain": 0.4, "gibberish": 0.1}
    return analysis.load(
        study_folder(
            lambda corpus, relearn_steps, start, **_: (
                strong.get(corpus, 0.0) * (relearn_steps > 0) * (0.5 if start == "never_learned" else 1)
            )
        )
    )


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ({"corpus": "prefx"}, "corpus=prefx: these rows have .*; did you mean 'prefix'"),
        ({"depth": 9}, "depth=9: these rows have"),
        ({"metric": "rouge_x"}, "metric=rouge_x: these rows have"),
        ({"split": "forgot"}, "split=forgot: choose from forget, retain; did you mean 'forget'"),
        ({"corpsu": "prefix"}, "corpsu is no coordinate: .*; did you mean 'corpus'"),
        ({"depth": "8"}, "depth='8': these rows have 0, 6, 8; they are numbers: give 8 without quotes"),
        ({"corpus": None}, "corpus=None: .*; leave corpus out where every value is wanted"),
        ({"rows": "dpeth"}, "rows=dpeth: .*; did you mean 'depth'"),
        ({"pool": "sed"}, "pool=sed: .*; did you mean 'seed'"),
        ({"pool": ["seed", "corpsu"]}, "pool=corpsu: .*; did you mean 'corpus'"),
    ],
)
def test_what_is_not_there_is_named_with_what_is_near(study, which: dict[str, object], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        analysis.surface(study, **{**WHICH, **which})


NOTHING_HAS_ALL = {"corpus": "prefix", "start": "never_learned", "depth": 8, "relearn_steps": 40}


@pytest.mark.parametrize(
    "ask",
    [
        lambda study, **which: analysis.surface(study, repetitions=7, **which),
        lambda study, **which: analysis.surface(study.cells, repetitions=7, **which),
        lambda study, **which: study.plot.surface(repetitions=7, **which),
        lambda study, **which: study.best_attacks(**which),
        lambda study, **which: study.frontier(**which),
        lambda study, **which: study.compare("repetitions", "keyword_anywhere", **which),
        lambda study, **which: study.answers("keyword_anywhere", "repetitions", **which),
    ],
)
def test_values_that_no_row_has_together_are_named(study, ask) -> None:
    words = (
        "no row has start=never_learned and depth=8: beside depth=8 there is start unlearned; "
        "beside start=never_learned there is depth 0"
    )
    with pytest.raises(SpecError, match=f"^{words}$"):
        ask(study, **NOTHING_HAS_ALL)


FURTHER = {"compare": ("corpus", "keyword_anywhere"), "answers": ("keyword_anywhere", "corpus")}
TAKES_ROWS = {"surface": "cells", "frontier": "cells", "compare": "probes", "answers": "probes"}


@pytest.mark.parametrize("measure", analysis.MEASURES, ids=lambda each: each.__name__)
def test_a_wrong_kind_of_argument_is_named_with_the_right_one(study, measure) -> None:
    name = measure.__name__
    kinds = {
        "a DataFrame of cells": study.cells,
        "a DataFrame of probes": study.probes,
        "a DataFrame without columns": pd.DataFrame(),
        "a DataFrame with the columns corpus": study.cells[["corpus"]],
        "the text 'studies/names'": "studies/names",
        "None": None,
        "a list": [study],
        "a SimpleNamespace": SimpleNamespace(parts=(study,)),
    }
    for words, given in kinds.items():
        if not words.endswith(TAKES_ROWS.get(name, "study")):
            with pytest.raises(
                SpecError, match=f"analysis.{name} was given {words}: .*; study = analysis.load"
            ):
                measure(given, *FURTHER.get(name, ()))
    if rows := TAKES_ROWS.get(name):
        with pytest.raises(SpecError, match=f"a DataFrame of {rows} without a row"):
            measure(getattr(study, rows).head(0), *FURTHER.get(name, ()))
    assert getattr(study, name).__func__ is measure


@pytest.mark.parametrize("name", ["flow", "law", "net_recovery", "verdicts"])
def test_what_is_of_one_study_says_so(study, name: str) -> None:
    with pytest.raises(SpecError, match=f"analysis.{name} was given 1 studies: it takes one"):
        getattr(analysis.Studies((study,)), name)()


def test_a_wrong_metric_of_probes_is_named(study) -> None:
    words = "metric=keyword_anywher: .*; did you mean 'keyword_anywhere'"
    for ask in (
        lambda metric: analysis.compare(study.probes, "corpus", metric),
        lambda metric: study.compare("corpus", metric),
        lambda metric: analysis.answers(study.probes, metric),
        lambda metric: study.frontier(metric=metric),
        lambda metric: study.trajectories(metric),
    ):
        with pytest.raises(SpecError, match=words):
            ask("keyword_anywher")


def test_a_surface_of_a_study_is_that_of_its_cells(study) -> None:
    of_study, of_cells = analysis.surface(study, **WHICH), analysis.surface(study.cells, **WHICH)
    pd.testing.assert_frame_equal(of_study, of_cells)


def test_a_measure_is_a_method_too(study) -> None:
    for several in (study, analysis.Studies((study,))):
        pd.testing.assert_frame_equal(several.best_attacks(most=3), analysis.best_attacks(study, most=3))
    pd.testing.assert_frame_equal(study.surface(**WHICH), analysis.surface(study, **WHICH))
    one = {"start": "unlearned", "repetitions": 7, "depth": 8, "relearn_steps": 40}
    of_probes = analysis.compare(study.probes, "corpus", "keyword_anywhere", **one)
    pd.testing.assert_frame_equal(study.compare("corpus", "keyword_anywhere", **one), of_probes)


def test_one_name_may_be_pooled_without_a_list(study) -> None:
    one = {"start": "unlearned", "repetitions": 7, "seed": 0}
    pd.testing.assert_frame_equal(study.surface(pool="corpus", **one), study.surface(pool=["corpus"], **one))


def test_a_repr_is_one_line(study) -> None:
    assert len(repr(study)) < 200
    assert "cells" in repr(study)


def test_studies_are_told_apart_and_kept_in_a_set(study) -> None:
    """Equal frames make no truth value, so a study equals itself alone."""
    both = analysis.Studies((study,))
    assert study in [both, study]
    assert len({study, both, study}) == 2
    assert repr(study.plot) == f"<plots of {study!r}: surface>"


def test_the_best_attack_is_first_and_beside_its_control(study) -> None:
    found = analysis.best_attacks(study, most=3)
    assert len(found) == 3
    assert set(found["corpus"].astype(str)) == {"prefix"}
    assert found["rate"].tolist() == pytest.approx([0.8] * 3)
    assert found["never_learned"].tolist() == pytest.approx([0.4] * 3)
    assert ((found["low"] < found["rate"]) & (found["rate"] < found["high"])).all()


def test_a_drawn_surface_has_the_numbers_of_the_table(study) -> None:
    axes = study.plot.surface(**WHICH)
    table = analysis.surface(study, **WHICH)
    grid = table.pivot(index="depth", columns="relearn_steps", values="rate").to_numpy()
    assert [text.get_text() for text in axes.texts] == [f"{value * 100:.0f}" for value in grid.ravel()]
    assert axes.get_xlabel() == "relearn steps"


def test_a_number_of_attacks_below_one_is_refused(study) -> None:
    with pytest.raises(SpecError, match=r"most=0: expected how many attacks"):
        study.best_attacks(most=0)


def test_a_comparison_is_of_the_headline_where_no_metric_is_named(study) -> None:
    named = analysis.compare(study, "corpus", study.headline.metric)
    pd.testing.assert_frame_equal(analysis.compare(study, "corpus"), named)
    with pytest.raises(SpecError, match="probes have no headline: name the metric, one of"):
        analysis.compare(study.probes, "corpus")
