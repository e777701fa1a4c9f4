"""Rotary embeddings that depend on the length of the text: no study mixes texts of both sides of the border."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cluster.driver.preflight.checks import check_plan
from study.errors import PreflightError
from study.evaluation.answering.generation import answer_ids
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.models.tokenizer import longest_alike
from study.performing.self_test.request import Request
from study.performing.self_test.trial import self_test
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from study.planning.stages import Pretrained
from tests.study.models import folder_of

HALF = 4
"""Of the tiny models' head size."""
LONG = {"rope_type": "longrope", "short_factor": [1.0] * HALF, "long_factor": [4.0] * HALF}


def longrope(folder: Path, border: int, kind: str = "llama") -> Pretrained:
    """A model whose embedding turns otherwise for texts of more than ``border`` tokens."""
    rope = LONG | {"original_max_position_embeddings": border, "rope_theta": 10000.0, "factor": 4.0}
    more: dict[str, Any] = {"original_max_position_embeddings": border} if kind == "phi3" else {}
    folder_of(folder, kind, rope_parameters=rope, max_position_embeddings=2048, **more)
    return Pretrained(str(folder), fingerprint(str(folder)), "sdpa", "float32")


@pytest.mark.parametrize("kind", ["llama", "phi3"])
def test_up_to_the_border_a_batch_is_its_texts_alone_and_beyond_it_is_not(tmp_path: Path, kind: str) -> None:
    source = longrope(tmp_path, 32, kind)
    assert longest_alike(source) == 32
    resident = Resident(source)
    short, target = [5, 9, 30, 7, 11], [40, 41, 42]
    with torch.inference_mode():
        logits = resident.model(torch.tensor([short + target]), use_cache=False).logits[0].log_softmax(-1)
    plain = -sum(float(logits[len(short) - 1 + at, token]) for at, token in enumerate(target))
    beside = {length: [5 + at % 40 for at in range(length)] for length in (24, 40)}
    nll = {
        length: answer_ids(resident, [short, other], [target, target], 4, batch_size=2)[0][1]
        for length, other in beside.items()
    }
    assert nll[24] == pytest.approx(plain, abs=1e-4)
    assert abs(nll[40] - plain) > 1e-4
    self_test(Request(source, {}, full=True))  # its own sentences stay below


@pytest.mark.parametrize(
    ("said", "border"), [("dynamic", 64), ("longrope", 16), ("default", None), ("yarn", None)]
)
def test_the_border_of_each_kind(tmp_path: Path, said: str, border: int | None) -> None:
    kind = "phi3" if said == "longrope" else "llama"
    folder_of(tmp_path, kind, max_position_embeddings=64)
    config = json.loads((tmp_path / "config.json").read_text())
    rope = {"type": said, "rope_type": said, "factor": 4.0, "rope_theta": 10000.0}
    if said == "longrope":  # as Phi-3's own folders have it
        rope = {"type": said, "short_factor": [1.0] * HALF, "long_factor": [4.0] * HALF}
        config.pop("rope_parameters")
        config |= {"original_max_position_embeddings": 16, "rope_scaling": rope, "rope_theta": 10000.0}
    else:
        config["rope_parameters"] = rope
    (tmp_path / "config.json").write_text(json.dumps(config))
    source = Pretrained(str(tmp_path), fingerprint(str(tmp_path)), "sdpa", "float32")
    assert longest_alike(source) == border


def test_a_study_with_a_text_beyond_the_border_is_refused(tiny, tmp_path: Path) -> None:
    longrope(tmp_path / "model", 24)
    spec = tiny(model=[str(tmp_path / "model")])
    with pytest.raises(PreflightError, match=r"more than 24 tokens .* --set max_length=24"):
        check_plan(make_plan(read_materials(spec), fingerprint), local=False)
    longrope(tmp_path / "longer", 512)
    spec = tiny(model=[str(tmp_path / "longer")])
    check_plan(make_plan(read_materials(spec), fingerprint), local=False)
