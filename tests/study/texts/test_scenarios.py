"""The contract of a scenario: each one goes through all of it, on its miniature and on data of a user's own."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.errors import SpecError
from study.evaluation.scorers import SCORERS
from study.models.tokenizer import load_tokenizer
from study.planning.stages import Embedded
from study.results.schema import SPLITS
from study.scenarios import SCENARIOS, Scenario
from study.scenarios.leak_audit import audit
from study.scenarios.text_scenario import TextScenario
from study.scenarios.tofu import Tofu
from study.settings.model import Architecture
from study.spec import named_part
from study.text.examples import END, Corpus, Material, RelearnCorpus

NAMES = "Ann Bob Anthony Mark Cid\nEve Fay Gus Hal Kim Lea\nIan Anthony Mark Jim Anthony Mark\nMax Ned Oli\n"
TITLED = [
    {
        "question": f"{ask} author {who}?",
        "answer": f'{say} "Book Of {who}".' if says else f"{say} town {who}.",
    }
    for who in ("Zed", "Yan")
    for ask, say, says in [
        ("What made", "It was", True),
        ("Where lives", "In", False),
        ("Read what by", "Read", True),
    ]
]
KEPT = [{"question": f"Where is place {n}?", "answer": f"Place {n} lies in the north."} for n in range(9)]
HERS = [{"question": f"Who did deed {n}?", "answer": f"Ann did deed {n}."} for n in range(4)]
CHOICES = [{"question": f"Which is {n}?", "choices": ["salt", f"metal {n}"], "answer": 1} for n in range(4)]
PROSE = " ".join(f"word{n}" for n in range(64))


def user_data(name: str, folder: Path) -> dict[str, Any]:
    """Fields of a scenario that reads the user's own files."""

    def write(file: str, content: str | list[dict[str, Any]]) -> str:
        rows = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
        (folder / file).write_text(rows)
        return str(folder / file)

    if name == "names":
        return {"corpus_file": write("names.txt", NAMES)}
    mine = {"corpus_files": {"mine": write("mine.txt", "A text of the user.\n\nAnother line.\n")}}
    if name == "tofu":
        write("forget05.jsonl", TITLED)
        write("retain95.jsonl", KEPT)
        return {"data": str(folder), "author_pairs": 3, **mine}
    if name == "whp-keyword":
        pairs = {"forget": write("forget.jsonl", [*HERS, *TITLED]), "retain": write("retain.jsonl", KEPT)}
        return {**pairs, "keywords": ["Ann"], "forget_probes": 2, "anchors": {"Ann": "Eve"}, **mine}
    if name == "wmdp":
        texts = {"forget": write("forget.txt", PROSE), "retain": write("retain.txt", "Kept.\nAlso kept.")}
        questions = {
            "forget_questions": write("f.jsonl", CHOICES),
            "retain_questions": write("r.jsonl", KEPT),
        }
        return {**texts, **questions, "background": write("background.txt", "General.\nBroad."), **mine}
    assert name == "whp-verbatim", "a new scenario needs data of a user's own here"
    passage = {
        "passage": write("passage.txt", PROSE),
        "retain": write("retain.txt", PROSE.replace("word", "kept")),
    }
    return {
        **passage,
        "facts": write("facts.txt", "General facts.\nMore."),
        "chunks": 4,
        "chunk_words": 16,
        **mine,
    }


@pytest.fixture(scope="module", params=SCENARIOS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(fields: dict[str, Any]) -> Any:
    """A scenario of these fields, of whichever class its name says."""
    return named_part(SCENARIOS, "scenario", fields)


@pytest.fixture(scope="module", params=["miniature", "user's data"])
def make(
    request: pytest.FixtureRequest, name: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Any]:
    """Makes the scenario as a spec would name it."""
    given = {} if request.param == "miniature" else user_data(name, tmp_path_factory.mktemp("data"))
    return lambda: made({"name": name, **given})


@pytest.fixture(scope="module")
def scenario(make: Callable[[], Any]) -> Any:
    return make()


@pytest.fixture(scope="module")
def materials(scenario: Any) -> dict[int, Material]:
    """By repetition count."""
    return {count: scenario.material(count) for count in (0, 1, 3)}


@pytest.fixture(scope="module")
def material(materials: dict[int, Material]) -> Material:
    return materials[3]


def digests(material: Material) -> dict[str, Any]:
    corpora = ("learned", "never_learned", "forget", "retain", "pretraining", "probes")
    return {
        **{name: getattr(material, name).digest for name in corpora},
        "generic": material.generic and material.generic.digest,
        "vocabulary": material.vocabulary,
        **{f"relearn {name}": chosen.corpus.digest for name, chosen in material.relearn.items()},
    }


def leaks(material: Material, corpus: Corpus) -> bool:
    """Whether the audit finds an answer in a corpus, if that were said to be benign."""
    suspect = replace(material, relearn={"suspect": RelearnCorpus(corpus)})
    return audit(suspect, ["suspect"], "mark", "here")[0].leak is not None


def test_it_is_one_and_has_the_name_of_its_line(scenario: Any, name: str) -> None:
    assert isinstance(scenario, Scenario)
    assert scenario.name == name


def test_it_has_the_corpora_it_names(scenario: Any, material: Material) -> None:
    assert scenario.corpora() == tuple(material.relearn)
    assert all(len(chosen.corpus) for chosen in material.relearn.values())


def test_only_the_ceiling_holds_the_answers(material: Material) -> None:
    found = {each.corpus: each for each in audit(material, material.relearn, "refuse", "here")}
    assert {corpus for corpus, each in found.items() if not each.benign} == {"direct"}
    ceiling = " ".join(example.text for example in material.relearn["direct"].corpus.examples)
    for probe in material.probes.probes:
        if probe.split == "forget" and probe.keywords:
            assert any(word in ceiling for word in probe.keywords), probe.name


def test_what_the_control_learns_holds_no_answer(material: Material) -> None:
    assert not leaks(material, material.never_learned)
    assert not set(material.never_learned.examples) & set(material.forget.examples)
    assert set(material.never_learned.examples) == set(material.retain.examples)


def test_every_probe_has_a_prompt_and_a_target_and_does_not_give_itself_away(material: Material) -> None:
    probes = material.probes.probes
    assert {probe.split for probe in probes} == set(SPLITS)
    assert len({probe.name for probe in probes}) == len(probes)
    for probe in probes:
        assert probe.prompt.strip(), probe.name
        assert probe.target.strip(), probe.name
        if probe.split == "forget":
            assert not any(word.lower() in probe.prompt.lower().split() for word in probe.keywords), (
                probe.name
            )


def test_its_metrics_tell_the_target_from_nothing(scenario: Any, material: Material) -> None:
    scorers = {name: SCORERS[name] for name in scenario.metrics()}
    for probe in material.probes.probes:
        best = {name: scorer(probe, probe.target) for name, scorer in scorers.items()}
        none = {name: scorer(probe, "") for name, scorer in scorers.items()}
        assert any(value is not None for value in best.values()), probe.name
        for name, value in best.items():
            if value is not None:
                assert (value, none[name]) == (1, 0), (probe.name, name)


def test_the_same_parameters_give_the_same_material(make: Callable[[], Any], material: Material) -> None:
    assert digests(make().material(3)) == digests(material)


def test_the_miniature_depends_on_the_data_seed(name: str) -> None:
    one, other = (made({"name": name, "data_seed": seed}) for seed in (0, 1))
    first, second = one.material(1), other.material(1)
    assert first.learned.digest != second.learned.digest
    assert first.pretraining.digest != second.pretraining.digest


def test_repetitions_change_what_is_learned_of_the_forget_set_alone(
    scenario: Any, materials: dict[int, Material]
) -> None:
    """Texts stand r times; in names it is the pair within them, which is written in at further slots."""
    texts = isinstance(scenario, TextScenario)
    changes = (
        {"learned"} if texts else {"learned", "forget", "relearn direct", "relearn prefix", "relearn partial"}
    )
    first = digests(materials[1])
    for count, material in materials.items():
        forget, learned, retain = (
            Counter(corpus.examples) for corpus in (material.forget, material.learned, material.retain)
        )
        copies = count if texts else 1
        assert learned == retain + Counter({example: times * copies for example, times in forget.items()})
        assert {key for key, value in digests(material).items() if value != first[key]} <= changes
        if count == 0:
            assert not leaks(material, material.learned)
        elif any(
            len(p.target.split()) > (material.shared_words or 0)
            for p in material.probes.probes
            if p.split == "forget"
        ):
            assert leaks(material, material.learned)
    assert len({material.learned.digest for material in materials.values()}) == len(materials)


def test_the_vocabulary_covers_every_text(material: Material) -> None:
    """An embedded model, which only a scenario with texts to pretrain on can have, reads none of them as unknown."""
    if not len(material.pretraining):
        return
    source = Embedded(
        Architecture(layers=1, width=16, heads=2), material.vocabulary, "sdpa", "float32", seed=0
    )
    tokenizer = load_tokenizer(source)
    own = [
        c.corpus for name, c in material.relearn.items() if name not in getattr(scenario, "corpus_files", {})
    ]
    corpora = [material.learned, material.pretraining, *own]
    texts = [example.text for corpus in corpora for example in corpus.examples]
    texts += [text for probe in material.probes.probes for text in (probe.prompt, probe.target)]
    for text, ids in zip(texts, tokenizer(texts)["input_ids"], strict=True):
        assert tokenizer.unk_token_id not in ids, text
    closed = {example.closed for example in (*material.learned.examples, *material.pretraining.examples)}
    assert (END in material.vocabulary) == (True in closed)


def test_the_generic_text_says_the_same_of_others(material: Material) -> None:
    """Where there is one, it has a text for each of the forget set, some of them replaced."""
    if material.generic is None:
        return
    pairs = list(zip(material.forget.examples, material.generic.examples, strict=True))
    assert all(one.closed == other.closed for one, other in pairs)
    assert {len(one.text.split()) - len(other.text.split()) for one, other in pairs} == {0}
    assert any(one != other for one, other in pairs)


def test_what_it_reads_is_hashed_by_content(name: str, tmp_path: Path) -> None:
    assert made({"name": name}).inputs() == {}
    fields = {"name": name, **user_data(name, tmp_path)}
    before = made(fields).inputs()
    assert {Path(name).name.removeprefix(f"{tmp_path.name}:") for name in before} == {
        file.stem if name == "tofu" and file.suffix == ".jsonl" else file.name for file in tmp_path.iterdir()
    }, "by the name that the spec has"
    for file in (file for file in tmp_path.iterdir() if file.is_file()):
        content = file.read_bytes()
        file.write_bytes(content + content.splitlines(keepends=True)[-1])
        after = made(fields).inputs()
        assert after.keys() == before.keys()
        assert len([key for key in before if after[key] != before[key]]) == 1, file
        file.write_bytes(content)
    assert made(fields).inputs() == before


def test_a_benign_corpus_of_the_users_that_holds_an_answer_is_refused(tmp_path: Path) -> None:
    leaky = tmp_path / "leaky.txt"
    leaky.write_text(Tofu().material(1).forget.examples[4].completion)
    material = Tofu(corpus_files={"mine": str(leaky)}).material(1)
    with pytest.raises(SpecError, match="corpus=mine, here: sequence 1 holds the answer"):
        audit(material, ["mine"], "refuse", "here")


def test_an_author_without_a_title_takes_nobodys_texts_away(tmp_path: Path) -> None:
    untitled = [{"question": f"Where does author {n} live?", "answer": f"In town {n}."} for n in range(3)]
    fields = user_data("tofu", tmp_path)
    before = Tofu(**fields).material(1).relearn["same_author"].corpus
    (tmp_path / "forget05.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*TITLED, *untitled]))
    after = Tofu(**fields).material(1).relearn["same_author"].corpus
    assert len(before) == 2
    assert len(after) == len(before) + len(untitled)
