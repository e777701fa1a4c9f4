"""A search and the report go by one table; where they go by two metrics of it, the search says so."""

import pytest

from search_spaces.loading import load_space
from search_spaces.presets import PRESETS
from study.results.headline import RATING, headline


@pytest.mark.parametrize("preset", PRESETS)
def test_a_search_goes_by_what_the_report_shows_until_answers_are_judged(preset: str) -> None:
    spec = load_space(preset, ["search={question: cheapest}"])
    scored = spec.the_scenario.metrics()
    assert spec.objective in scored
    assert spec.objective == headline(spec.the_scenario.name, scored).metric
    judged = headline(spec.the_scenario.name, (*scored, RATING)).metric
    assert (judged in spec.objective_in_words) is (judged in (spec.objective, RATING))


def test_for_wmdp_the_search_says_why_it_is_not_the_judges_rating() -> None:
    words = load_space("wmdp-mini", ["search={question: frontier}"]).objective_in_words
    assert words.startswith("rouge_l; the report goes by judge_rating")
    chosen = load_space("wmdp-mini", ["search={question: frontier, metric: exact}"])
    assert chosen.objective == "exact"
