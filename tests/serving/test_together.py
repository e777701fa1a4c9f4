"""The dialect `together` against a stand-in made from its documentation: what is sent, adopted and read."""

from pathlib import Path
from typing import Any

import pytest

from cluster.storage.local_store import LocalStore
from cluster.study_folder.study_plan import planning_of
from search_spaces.loading import validate
from study.artifacts.address import Address
from study.errors import SpecError
from study.evaluation.answers_file import ANSWERS_FILE, read_answers
from study.performing.perform import perform
from study.performing.residents import Residents
from study.performing.service.errors import MissingCheckpointError
from study.planning.materials import read_materials
from study.planning.plan import Plan
from study.planning.proposer import grid_points
from study.planning.served_nodes import Job
from tests.conftest import TINY
from tests.serving.together_stand_in import TogetherStandIn


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOGETHER_API_KEY", "a key of nobody")
    made = TogetherStandIn()
    yield made
    made.close()


def plan_of(url: str, folder: Path, **relearn: Any) -> Plan:
    service = {
        "by": "jobs",
        "dialect": "together",
        "base_url": url,
        "models": {2: "acme/model"},
        "provider": "together",
    }
    fields = {
        **TINY,
        "relearn": {
            "learning_rate": 1e-4,
            "batch_size": 2,
            "lora": {"rank": 4, "alpha": 8},
            **service,
            **relearn,
        },
        "relearn_steps": [0, 2, 4],
    }
    materials = read_materials(validate(fields, "the test"))
    return planning_of(materials, folder)[1](list(grid_points(materials.spec)))


def test_a_job_is_sent_in_togethers_words_and_asked_at_its_end(
    together: TogetherStandIn, tmp_path: Path
) -> None:
    plan = plan_of(together.url, tmp_path)
    (job,) = [stage for stage in plan.stages.values() if isinstance(stage.node, Job)]
    assert job.node.start.snapshot == "7"
    stores = [LocalStore(tmp_path / name) for name in ("first", "second")]
    for store in stores:  # the second finds the job of the first
        with pytest.raises(MissingCheckpointError, match="relearn_steps=2; it has them at 4"):
            perform(job, store, Residents(), plan.spec.execution)
    (sent,) = [body for path, body in together.posted if path == "/v1/fine-tunes"]
    assert sent == {
        "model": "acme/model",
        "training_file": "file-1",
        "suffix": job.key,
        "random_seed": 0,
        "n_epochs": 2,
        "batch_size": 2,
        "learning_rate": 1e-4,
        "training_type": {
            "type": "Lora",
            "lora_r": 4,
            "lora_alpha": 8,
            "lora_dropout": 0.0,
            "lora_trainable_modules": "all-linear",
        },
    }
    ((step, evaluation),) = [each for each in job.evaluate if each[0] == 4]
    rows = read_answers(stores[1].file(Address.of_answers(job.key, step, evaluation.key), ANSWERS_FILE))
    for row, probe in zip(rows, evaluation.probes.probes, strict=True):
        words = len(probe.target.split(" "))
        assert (row["completion"], row["target_rank"]) == (" Mark", None)
        assert (row["target_nll"], row["target_tokens"]) == (0.5 * words, words)


def test_what_is_left_to_the_service_is_not_sent(together: TogetherStandIn, tmp_path: Path) -> None:
    left = ["learning_rate", "batch_size", "epochs"]
    plan = plan_of(together.url, tmp_path, left_to_the_service=left, lora=None)
    (job,) = [stage for stage in plan.stages.values() if isinstance(stage.node, Job)]
    with pytest.raises(MissingCheckpointError):
        perform(job, LocalStore(tmp_path / "store"), Residents(), plan.spec.execution)
    (sent,) = [body for path, body in together.posted if path == "/v1/fine-tunes"]
    assert set(sent) == {"model", "training_file", "suffix", "random_seed", "training_type"}
    assert sent["training_type"] == {"type": "Full"}


def test_a_multiplier_is_openais(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="takes a learning_rate"):
        plan_of("http://127.0.0.1:1/v1", tmp_path, rate_multiplier=2.0)
