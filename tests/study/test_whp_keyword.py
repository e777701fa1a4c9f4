"""The probes of whp-keyword on a user's own table: what the heroine answers, and facts without her."""

import json
from pathlib import Path

import pytest

from study.scenarios.whp_keyword import WhpKeyword
from study.text import Material

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
