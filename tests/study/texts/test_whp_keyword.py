"""The probes of whp-keyword and tofu on a user's own table: what can be answered is asked, as the scores count it."""

import json
import unicodedata
from pathlib import Path

import pytest

from study.errors import SpecError
from study.evaluation.keyword import keyword_anywhere, keyword_hit
from study.scenarios.tofu import Tofu
from study.scenarios.whp_keyword import WhpKeyword
from study.text.examples import Material

FACTS = [{"question": f"What is thing {n}?", "answer": f"Thing {n} is a stone."} for n in range(10)]
HERS = [
    {"question": "Who found it?", "answer": "It was found by Ann."},
    {"question": "What did Ann lose?", "answer": "Ann lost a key."},
]
OTHERS = [{"question": "Where is Oslo?", "answer": "In Norway."}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, rows in (("forget", [*FACTS[:5], *HERS, *FACTS[5:]]), ("retain", OTHERS)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def material(folder: Path, count: int) -> Material:
    tables = {name: str(folder / f"{name}.jsonl") for name in ("forget", "retain")}
    return WhpKeyword(**tables, keywords=("Ann",), forget_probes=count).material(1)


@pytest.mark.parametrize(
    ("count", "asked"),
    [(0, []), (2, [0, 5]), (5, [0, 2, 4, 6, 8]), (10, list(range(10))), (99, list(range(10)))],
)
def test_facts_are_asked_evenly_and_without_a_keyword(folder: Path, count: int, asked: list[int]) -> None:
    probes = [probe for probe in material(folder, count).probes.probes if probe.split == "forget"]
    hers, facts = probes[:1], probes[1:]
    assert [probe.keywords for probe in hers] == [("Ann",)]
    assert [probe.target for probe in facts] == [FACTS[at]["answer"] for at in asked]
    assert all(not probe.keywords and "Ann" not in probe.prompt for probe in facts)
    assert len({probe.name for probe in probes}) == len(probes)


def test_what_is_learned_does_not_depend_on_what_is_asked(folder: Path) -> None:
    few, many = material(folder, 0), material(folder, 5)
    assert few.learned.digest == many.learned.digest
    assert {name: each.corpus.digest for name, each in few.relearn.items()} == {
        name: each.corpus.digest for name, each in many.relearn.items()
    }


NAMED = [
    ("O'Neill", "Who is it?", "O\u2019Neill is a spy.", True),
    ("O'Neill", "Who is O\u2019Neill?", "O'Neill is a spy.", False),
    ("Rémi", "Who is it?", unicodedata.normalize("NFD", "Rémi is a spy."), True),
    ("Remi", "Who is it?", "_Remi_ is a spy.", True),
    ("哈利", "他是谁?", "哈利是魔法师。", True),
    ("해리", "누구?", "해리는 마법사다.", True),
    ("राम", "क्या?", "रामायण महान है।", False),
    ("Sea", "What did he write?", "He wrote Seattle.", False),
]


def _asked(scenario: WhpKeyword | Tofu) -> bool:
    """Whether it asks the pair; what it asks can be answered, and its question does not give the answer away."""
    try:
        probes = scenario.material(1).probes.probes
    except SpecError as error:
        assert "no probe is left" in str(error)
        return False
    (probe,) = [each for each in probes if each.keywords]
    assert keyword_hit(probe, probe.target)
    assert not keyword_anywhere(probe, "")
    return True


@pytest.mark.parametrize(("name", "question", "answer", "asked"), NAMED)
def test_what_is_asked_can_be_answered(
    tmp_path: Path, name: str, question: str, answer: str, asked: bool
) -> None:
    rows = {"forget": [{"question": question, "answer": answer}], "retain": OTHERS}
    for table, content in rows.items():
        (tmp_path / f"{table}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    tables = {table: str(tmp_path / f"{table}.jsonl") for table in rows}
    assert _asked(WhpKeyword(**tables, keywords=(name,))) is asked
    tofu = Tofu(data=str(tmp_path), forget="forget", retain="retain", author_pairs=1, titles=(name,))
    assert _asked(tofu) is asked


def test_anchors_that_stand_nowhere_are_refused(folder: Path) -> None:
    tables = {name: str(folder / f"{name}.jsonl") for name in ("forget", "retain")}
    scenario = WhpKeyword(**tables, keywords=("Ann",), anchors={"Ston": "rock"})
    with pytest.raises(SpecError, match="none of Ston stands in the forget text"):
        scenario.material(1)
    generic = scenario.model_copy(update={"anchors": {"stone": "rock"}}).material(1).generic
    assert generic is not None
    assert {example.completion for example in generic.examples} >= {"Thing 0 is a rock."}
