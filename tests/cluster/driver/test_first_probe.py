"""`relearn plan` shows the first probe as it was learned and as it is asked."""

import json
from pathlib import Path

from benchmarks.architectures.tokenizer_forms import tokenizer_of
from cluster.driver.preflight.first_probe import first_probe
from study.models.pretrained import fingerprint
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from tests.commands import call
from tests.study.models import folder_of

CHANGES = {"scenario": {"name": "tofu", "retain_pairs": 20}, "repetitions": [1], "corpus": ["same_author"]}


def test_what_is_asked_begins_what_was_learned(tiny, tmp_path: Path) -> None:
    shown = []
    for form in ("byte-level, begin", "byte-level, begin and end"):
        folder = folder_of(tmp_path / form, "llama", tokenizer_of(form))
        found = first_probe(make_plan(read_materials(tiny(model=[str(folder)], **CHANGES)), fingerprint))
        assert found is not None
        assert found.learned is not None
        whole = (*found.asked, *found.target)
        assert found.learned == (*whole, "</s>")
        assert found.asked[0] == "<s>"
        assert "</s>" not in whole
        shown.append(found)
    assert shown[0] == shown[1]


def test_the_command_shows_it(space, tmp_path: Path) -> None:
    space(**CHANGES)
    code, output = call("plan", "space.json", "--json", cwd=tmp_path)
    assert code == 0, output
    said = json.loads(output)["first_probe"]
    assert said["learned"][: len(said["asked"])] == said["asked"]
    code, output = call("plan", "space.json", cwd=tmp_path)
    assert code == 0, output
    assert "first probe, learned" in output


def test_a_prompt_that_begins_no_text(planned) -> None:
    found = first_probe(planned())
    assert found is not None
    assert found.learned is None
    assert dict(found.rows())["first probe, learned"] == "its prompt begins no text that is learned"
