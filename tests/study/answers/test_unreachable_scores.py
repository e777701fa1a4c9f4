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
    scores = {each.score: each for each in found}
    assert "exact" in scores
    assert scores["exact"].unreachable == scores["exact"].answers > 0
    assert "rouge_l" not in scores  # it reads letters without their case
    assert scores["exact"].returned.strip() == scores["exact"].asked.lower()
    assert f"{scores['exact'].asked!r} comes back as" in scores["exact"].in_words


def test_an_answer_longer_than_what_is_generated(tiny, tmp_path: Path) -> None:
    folder_of(tmp_path / "model", "llama")
    plan = planned(tiny, tmp_path / "model", max_new_tokens=1)
    found = {each.score: each for each in unreachable_scores(plan)}
    assert found["exact"].unreachable > 0
    assert "longer than generation.max_new_tokens" in found["exact"].in_words
    assert found["rouge_l"].unreachable > 0
