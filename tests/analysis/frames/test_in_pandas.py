"""What a person types into a notebook: words for what is not there, a short repr, the best attacks, a drawn surface."""

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
    ],
)
def test_what_is_not_there_is_named_with_what_is_near(study, which: dict[str, object], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        analysis.surface(study, **{**WHICH, **which})


@pytest.mark.parametrize("measure", ["trajectories", "experiments", "predictors", "drivers", "law"])
def test_a_measure_that_needs_a_study_says_so(study, measure: str) -> None:
    with pytest.raises(SpecError, match=f"analysis.{measure} was given a DataFrame: it needs the study"):
        getattr(analysis, measure)(study.cells)


def test_a_surface_of_a_study_is_that_of_its_cells(study) -> None:
    of_study, of_cells = analysis.surface(study, **WHICH), analysis.surface(study.cells, **WHICH)
    pd.testing.assert_frame_equal(of_study, of_cells)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("best_attacks", r"call analysis\.best_attacks\(study\)"),
        ("plot", r"call analysis\.plot_surface\(study\)"),
        ("cell", "no attribute 'cell'$"),
    ],
)
def test_a_measure_that_is_typed_as_a_method_is_named(study, typed: str, words: str) -> None:
    for several in (study, analysis.Studies((study,))):
        with pytest.raises(AttributeError, match=words):
            getattr(several, typed)


def test_a_repr_is_one_line(study) -> None:
    assert len(repr(study)) < 200
    assert "cells" in repr(study)


def test_the_best_attack_is_first_and_beside_its_control(study) -> None:
    found = analysis.best_attacks(study, most=3)
    assert len(found) == 3
    assert set(found["corpus"].astype(str)) == {"prefix"}
    assert found["rate"].tolist() == pytest.approx([0.8] * 3)
    assert found["never_learned"].tolist() == pytest.approx([0.4] * 3)
    assert ((found["low"] < found["rate"]) & (found["rate"] < found["high"])).all()


def test_a_drawn_surface_has_the_numbers_of_the_table(study) -> None:
    axes = analysis.plot_surface(study, **WHICH)
    table = analysis.surface(study, **WHICH)
    grid = table.pivot(index="depth", columns="relearn_steps", values="rate").to_numpy()
    assert [text.get_text() for text in axes.texts] == [f"{value * 100:.0f}" for value in grid.ravel()]
    assert axes.get_xlabel() == "relearn steps"
