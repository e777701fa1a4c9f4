"""Every public function at the edges: a clear word or a number with its interval, never a crash or a bare 0."""

import pytest

import analysis
from study.errors import SpecError
from tests.analysis.conftest import lawful

FAILED = {"label": "unlearn (r 7)", "cause": "diverged", "message": "left the finite numbers", "stage": "x"}


def test_a_study_without_any_accepted_cell(study_folder) -> None:
    study = analysis.load(study_folder(lambda **_: None, failures=(FAILED,)))
    assert study.summary() == "0 of 324 cells; 1 stage failed"
    assert len(study.missing) == 324
    assert study.cells.empty
    for ask, words in (
        (lambda: analysis.trajectories(study), "no relearned cell is scored yet"),
        (lambda: analysis.drivers(study), "no relearned cell is scored yet"),
        (lambda: analysis.frontier(study, corpus="prefix"), "a frontier needs two places"),
        (lambda: analysis.surface(study, start="unlearned"), "nothing is computed yet"),
        (lambda: analysis.surface(study.cells), "a DataFrame of cells without a row"),
        (lambda: analysis.compare(study.probes, "corpus", "keyword_hit"), "probes without a row"),
        (lambda: analysis.predictors(study), "one study"),
        (lambda: analysis.answers(study.probes, "keyword_hit"), "probes without a row"),
    ):
        with pytest.raises(SpecError, match=words):
            ask()
    assert analysis.experiments(study)["ours"].isna().all()


def test_one_seed_is_said_where_there_is_an_interval(study_folder) -> None:
    study = analysis.load(study_folder(lawful, seeds=(0,)))
    table = analysis.trajectories(study)
    assert set(table["seeds"]) == {1}
    assert table[["final_low", "final_high"]].notna().all(axis=None)
    pairs = analysis.compare(study.scores("keyword_anywhere", relearn_steps=40), "corpus", "keyword_anywhere")
    assert set(pairs["seeds"]) == {1}


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_all_alike_is_not_certain(study_folder, rate: float) -> None:
    study = analysis.load(study_folder(lambda **_: rate, corpora=("prefix", "retain"), repetitions=(7,)))
    table = analysis.trajectories(study)
    assert (table["final_high"] - table["final_low"] > 0.02).all(), "a hundred probes leave a hundredth open"
    assert not table["drop_real"].any()
    assert table["drop"].eq(0).all()
    assert table["censored"].eq(rate == 0).all()
    pairs = analysis.compare(
        study.scores("keyword_anywhere", relearn_steps=40, start="unlearned"), "corpus", "keyword_anywhere"
    )
    assert pairs["difference"].eq(0).all()
    assert pairs[["low", "high", "p"]].isna().all(axis=None), "0 against 0 tells nothing of a difference"


def test_one_value_on_every_axis(study_folder) -> None:
    study = analysis.load(
        study_folder(lawful, seeds=(0,), depths=(8,), steps=(40,), corpora=("prefix",), repetitions=(7,))
    )
    assert len(analysis.surface(study.cells, start="unlearned")) == 1
    with pytest.raises(SpecError, match="no relearned cell is scored yet"):
        analysis.trajectories(study)  # nothing is known of before the relearning
    with pytest.raises(SpecError, match="nothing to compare"):
        analysis.compare(study.scores("keyword_anywhere"), "corpus", "keyword_anywhere")


def test_an_unscored_metric_is_no_number(study_folder) -> None:
    study = analysis.load(study_folder(lawful))
    with pytest.raises(SpecError, match="rouge_l: no relearned cell is scored yet"):
        analysis.trajectories(study, "rouge_l")
    with pytest.raises(SpecError, match="nothing to compare"):
        analysis.compare(study.probes, "corpus", "rouge_l", start="unlearned")
    with pytest.raises(SpecError, match="these rows have keyword_anywhere, target_nll"):
        analysis.drivers(study, "rouge_l")


def test_a_seed_that_failed_is_left_out_and_counted(study_folder) -> None:
    """Seed 2 has only its first steps: a trajectory is of the seeds that have all of them."""
    partial = lambda seed, relearn_steps, **at: (  # noqa: E731
        None if seed == 2 and relearn_steps > 10 else lawful(seed=seed, relearn_steps=relearn_steps, **at)
    )
    study = analysis.load(study_folder(partial, failures=(FAILED,)))
    table = analysis.trajectories(study)
    assert set(table["seeds"]) == {2}
    assert set(table["last_step"]) == {40}
    assert "1 stage failed" in study.summary()


def test_two_studies_with_different_spaces(study_folder, tmp_path) -> None:
    first = study_folder(lawful, depths=(6, 8), corpora=("prefix",)).rename(tmp_path / "a")
    second = study_folder(
        lambda relearn_steps, **_: relearn_steps / 50,
        depths=(12,),
        corpora=("own",),
        steps=(0, 5, 20),
        scenario="tofu",
        metric="keyword_hit",
        repetitions=(1,),
    ).rename(tmp_path / "b")
    both = analysis.load(first, second)
    table = analysis.trajectories(both)
    assert table.groupby("study", observed=True)["last_step"].unique().map(list).to_dict() == {
        "a": [40],
        "b": [20],
    }
    assert len(table) == 4 * 3 + 2
    with pytest.raises(SpecError, match="judged by different metrics"):
        _ = both.headline
    with pytest.raises(SpecError, match="would mix study a, b"):
        analysis.surface(
            both.cells,
            metric="target_nll",
            start="unlearned",
            pool=("seed", "corpus", "repetitions", "method", "scenario"),
        )
    one = analysis.surface(both.cells, metric="keyword_hit", study="b", start="unlearned")
    assert set(one["depth"]) == {12}


def test_compare_never_pairs_across_studies(study_folder, tmp_path) -> None:
    first = study_folder(lawful, corpora=("prefix",), repetitions=(7,), steps=(0, 40)).rename(tmp_path / "a")
    second = study_folder(lawful, corpora=("retain",), repetitions=(7,), steps=(0, 40)).rename(tmp_path / "b")
    both = analysis.load(first, second).scores("keyword_anywhere", relearn_steps=40, start="unlearned")
    with pytest.raises(SpecError, match="nothing to compare"):
        analysis.compare(both, "corpus", "keyword_anywhere")
