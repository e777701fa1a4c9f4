"""Every scenario × every method on its miniature: each method forgets, and relearning brings back, by its own bound.

The bounds hold on both processors of docs/RESULTS.md, each of which pretrains a base model of its own (sums in
another order), with room between what was measured there and what is demanded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from study.unlearning import METHODS
from tests.matrix.matrix import SCORE, effects, planned, reported, run, run_all, words_of


class Bound(NamedTuple):
    """What one method does in one scenario.

    Attributes:
        keeps: at most this part of the original model's score is left after unlearning.
        regains: so much of the score, 0 to 1, relearning brings back at least; None where it need not.
        likelier: or the negative log-likelihood of the target falls by this part of itself; None: the score decides.
    """

    keeps: float
    regains: float | None
    likelier: float | None = None


BOUNDS: Mapping[str, Mapping[str, Bound]] = {
    "names": {
        **dict.fromkeys(
            ("gradient_ascent", "gradient_difference", "kl_minimisation", "npo"), Bound(0.3, 0.3)
        ),
        "scrub": Bound(0.75, 0.15),
        "rmu": Bound(0.75, 0.2),
        "whp": Bound(0.99, 0.1),  # hardly forgets at these depths on one of the two processors: 72% to 69%
    },
    "tofu": dict.fromkeys(METHODS, Bound(0.5, 0.2)),
    "whp-keyword": dict.fromkeys(METHODS, Bound(0.5, 0.15)),
    "wmdp": {
        **dict.fromkeys(
            ("gradient_ascent", "gradient_difference", "kl_minimisation", "npo"), Bound(0.5, 0.03, 0.1)
        ),
        "scrub": Bound(0.5, None),  # on one processor relearning the background brings nothing back
        "rmu": Bound(0.5, None),  # nor here: 0% to 1%
        "whp": Bound(0.5, 0.3),
    },
    "whp-verbatim": {
        **dict.fromkeys(
            ("gradient_ascent", "gradient_difference", "kl_minimisation", "npo", "rmu"), Bound(0.5, 0.03, 0.1)
        ),
        "scrub": Bound(0.5, 0.01, 0.1),
        "whp": Bound(0.6, None),  # it retells the passage with other names; the facts replace that by others
    },
}


def broken(found: pd.DataFrame, bounds: Mapping[str, Bound]) -> list[str]:
    """The bounds that a scenario's methods break, in words; every method of ``bounds`` must be in ``found``."""
    words = []
    for method, bound in bounds.items():
        row = found.loc[method]
        if not row["unlearned"] < bound.keeps * row["original"]:
            words.append(f"{method} keeps {row['unlearned']:.2f} of {row['original']:.2f}")
        back = row["relearned"] - row["unlearned"]
        likelier = bound.likelier is not None and row["likelier"] >= bound.likelier
        if bound.regains is not None and not (back >= bound.regains or likelier):
            words.append(f"{method} regains {back:.2f}, likelier by {row['likelier']:.2f}")
    return words


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The whole matrix, computed."""
    return run_all(tmp_path_factory.mktemp("matrix"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCORE)
def test_every_method_on(studies: dict[str, Path], scenario: str) -> None:
    found = effects(scenario, studies[scenario]).set_index("method")
    assert set(BOUNDS[scenario]) == set(found.index) == set(METHODS)
    assert found["original"].min() > 0.6, found
    assert broken(found, BOUNDS[scenario]) == [], found
    assert ">The surface</a></h3>" in (studies[scenario] / "report" / "index.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.further
def test_one_method_on_one_scenario(tmp_path: Path) -> None:
    less = ["embedded.pretraining.steps=10", "finetune.steps=150"]  # which the names are learned without
    words = words_of("names", ["gradient_ascent"], ["depth=[6,8,12]", "relearn_steps=[0,20]", *less])
    planned(words, tmp_path)
    run(words, tmp_path / "names")
    study = reported(tmp_path / "names")
    found = effects("names", study).set_index("method")
    assert list(found.index) == ["gradient_ascent"]
    assert found["original"].min() > 0.6, found
    assert broken(found, {"gradient_ascent": BOUNDS["names"]["gradient_ascent"]}) == [], found
    assert ">The surface</a></h3>" in (study / "report" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("scenario", SCORE)
def test_a_method_that_does_nothing_is_found_in_every_scenario(scenario: str) -> None:
    idle = {"original": 0.9, "unlearned": 0.9, "relearned": 0.9, "likelier": 0.0}
    for method, bound in BOUNDS[scenario].items():
        words = broken(pd.DataFrame([idle], index=[method]), {method: bound})
        assert words[0] == f"{method} keeps 0.90 of 0.90"
