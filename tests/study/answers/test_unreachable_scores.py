"""Scores that an asked answer cannot reach, by the tokenizer or by the number of new tokens: told before a run."""

from pathlib import Path

from tokenizers import normalizers

from benchmarks.architectures.tokenizer_forms import tokenizer_of
from cluster.driver.preflight.unreachable_scores import unreachable_scores
from study.models.pretrained import fingerprint
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.planner import make_plan
from tests.study.models import folder_of


def planned(tiny, model: Path, max_new_tokens: int) -> Plan:
    spec = tiny(model=[str(model)], generation={"max_new_tokens": max_new_tokens})
    return make_plan(read_materials(spec), fingerprint)


def test_a_tokenizer_that_keeps_the_text_loses_no_score(tiny, tmp_path: Path) -> None:
    folder_of(tmp_path / "model", "llama")
    assert unreachable_scores(planned(tiny, tmp_path / "model", max_new_tokens=9)) == ()
    assert unreachable_scores(make_plan(read_materials(tiny()), fingerprint)) == ()


def test_a_tokenizer_that_lower_cases_loses_what_asks_for_case(tiny, tmp_path: Path) -> None:
    tokenizer = tokenizer_of("byte-level, begin")
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    folder_of(tmp_path / "model", "llama", tokenizer)
    found = unreachable_scores(planned(tiny, tmp_path / "model", max_new_tokens=9))
    scores = {name: counts for each in found for name, counts in each.scores.items()}
    answers, lost = scores["exact"]
    assert answers == lost > 0
    assert "rouge_l" not in scores  # it reads letters without their case
    assert len({each.asked for each in found}) == len(found)  # no example is told twice
    first = next(each for each in found if "exact" in each.scores)
    assert first.returned.strip() == first.asked.lower()
    assert f"exact in {lost:,} of {answers:,}" in first.in_words
    assert f"{first.asked!r} comes back as" in first.in_words


def test_an_answer_longer_than_what_is_generated(tiny, tmp_path: Path) -> None:
    folder_of(tmp_path / "model", "llama")
    plan = planned(tiny, tmp_path / "model", max_new_tokens=1)
    (found,) = unreachable_scores(plan)
    assert {"exact", "rouge_l"} <= set(found.scores)
    assert all(lost > 0 for _, lost in found.scores.values())
    assert "longer than generation.max_new_tokens" in found.in_words
