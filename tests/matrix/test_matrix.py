"""Every scenario × every method on its miniature: unlearning takes away, relearning brings back."""

from pathlib import Path

import pytest

from study.unlearning import METHODS
from tests.matrix.matrix import SCORE, effects, run_all

PAPER = {
    "names": {"gradient_ascent"},
    "tofu": {"gradient_ascent"},
    "whp-keyword": {"whp"},
    "wmdp": {"gradient_ascent", "gradient_difference", "kl_minimisation", "npo", "scrub"},
    "whp-verbatim": {"gradient_ascent", "gradient_difference", "kl_minimisation", "npo", "scrub"},
}
"""Where the paper shows that relearning works; what the others do is in docs/RESULTS.md."""
EXCEPTIONS = 1
"""Methods in each scenario that may do otherwise: one seed, and on another kind of processor, which sums in another
order, it is another base model. docs/RESULTS.md names those of two processors."""


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The whole matrix, computed."""
    return run_all(tmp_path_factory.mktemp("matrix"))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scenario", SCORE)
def test_every_method_on(studies: dict[str, Path], scenario: str) -> None:
    study = studies[scenario]
    found = effects(scenario, study).set_index("method")
    assert set(found.index) == set(METHODS)
    forgot = found["unlearned"] < 0.7 * found["original"]
    assert forgot[list(PAPER[scenario])].all(), found
    assert (~forgot).sum() <= EXCEPTIONS, found
    back = (found["relearned"] > found["unlearned"] + 0.03) | (found["likelier"] > 0.1)
    allowed = EXCEPTIONS if len(PAPER[scenario]) > 1 else 0
    assert (~back[list(PAPER[scenario])]).sum() <= allowed, found
    assert ">The surface</a></h3>" in (study / "report" / "index.html").read_text(encoding="utf-8")
