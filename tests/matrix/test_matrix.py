"""Every scenario × every method on its miniature: unlearning takes away, relearning brings back."""

from pathlib import Path

import pytest

from study.unlearning import METHODS
from tests.matrix.matrix import SCORE, effects, run

PAPER = {
    "names": {"gradient_ascent"},
    "tofu": {"gradient_ascent"},
    "whp-keyword": {"whp"},
    "wmdp": {"gradient_ascent", "gradient_difference", "kl_minimisation", "npo", "scrub"},
    "whp-verbatim": {"gradient_ascent", "gradient_difference", "kl_minimisation", "npo", "scrub"},
}
"""Where the paper shows that relearning works; what the others do is in docs/RESULTS.md."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", SCORE)
def test_every_method_on(scenario: str, tmp_path: Path) -> None:
    study = run(scenario, tmp_path)
    found = effects(scenario, study).set_index("method")
    assert set(found.index) == set(METHODS)
    assert (found["unlearned"] < 0.7 * found["original"]).all(), found
    for method in PAPER[scenario]:
        row = found.loc[method]
        assert row["relearned"] > row["unlearned"] + 0.03, found
    assert "<h2>The surface</h2>" in (study / "report" / "index.html").read_text(encoding="utf-8")
