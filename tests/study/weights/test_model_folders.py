"""Exported checkpoints: a killed export leaves no half of a folder, and an incomplete folder is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from cluster.storage.local_store import LocalStore
from search_spaces.loading import validate
from study.artifacts.address import WEIGHTS_FILE, Address
from study.errors import PreflightError, SpecError
from study.models.model_folders import export_checkpoints
from study.models.pretrained import fingerprint
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from tests.conftest import TINY
from tests.study.test_pretrained import make_folder

BLOCKED_EXPORT = """
import sys, time
from pathlib import Path
from transformers import PreTrainedTokenizerBase
from cluster.storage.local_store import LocalStore
from search_spaces.loading import validate
from study.models.model_folders import export_checkpoints
from study.planning.materials import read_materials
from study.planning.planner import make_plan
from tests.conftest import TINY

def blocked(tokenizer, folder, *arguments, **named):
    print(folder, flush=True)
    time.sleep(600)

PreTrainedTokenizerBase.save_pretrained = blocked
plan = make_plan(read_materials(validate(TINY, place="the test")), str)
export_checkpoints(plan, LocalStore(Path(sys.argv[1])), Path(sys.argv[2]))
"""


def kill_in_the_middle(store: Path, target: Path) -> Path:
    """A real export, killed when weights are written and the tokenizer is not; where it was writing."""
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", BLOCKED_EXPORT, str(store), str(target)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        process.kill()
    assert (folder / "model.safetensors").is_file(), "it was killed in the middle"
    return folder


def visible(target: Path) -> list[Path]:
    """The files that somebody would find."""
    files = [path.relative_to(target) for path in target.rglob("*") if path.is_file()]
    return [path for path in files if not any(part.startswith(".") for part in path.parts)]


@pytest.mark.slow  # CI has a report and rows that are killed while they are written
def test_a_killed_export_leaves_no_half_of_a_folder(planned, work_through, tmp_path: Path) -> None:
    plan, store, target = planned(), LocalStore(tmp_path / "store"), tmp_path / "models"
    work_through(plan, store)
    hidden = kill_in_the_middle(store.folder, target)
    assert hidden.is_dir()
    assert visible(target) == []

    assert export_checkpoints(plan, store, target).unfinished == [hidden]
    folder = target / "gradient_ascent" / "repetitions-7" / "seed-0" / "depth-2"
    stage = next(stage for stage in plan.stages.values() if stage.kind == "unlearn")
    stored = load_file(store.file(Address.of_weights(stage.key, 2), WEIGHTS_FILE))
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert all(torch.equal(value, stored[name]) for name, value in model.named_parameters())

    whole = {path: (target / path).read_bytes() for path in visible(target)}
    kill_in_the_middle(store.folder, target)
    assert {path: (target / path).read_bytes() for path in visible(target)} == whole
    assert fingerprint(str(folder))


def test_models_without_weights_are_told_apart(planned, work_through, tmp_path: Path) -> None:
    """No relearning starts where ``relearn_steps`` is 0 alone; and what is not computed yet may come."""
    for steps, work, lists in (([0], True, "not_kept"), ([0, 2], False, "not_computed")):
        plan, store = planned(relearn_steps=steps), LocalStore(tmp_path / f"store-{lists}")
        if work:
            work_through(plan, store)
        exported = export_checkpoints(plan, store, tmp_path / "models")
        assert [path.name for path in getattr(exported, lists)][-1] == "depth-2"
        assert [path.name for path in exported.written] == (["depth-0"] if work else [])


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_folder(tmp_path_factory.mktemp("model"))
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="10KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


def without_a_shard(folder: Path) -> None:
    sorted(folder.glob("*.safetensors"))[-1].unlink()


def without_the_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").unlink()


def with_a_short_shard(folder: Path) -> None:
    shard = sorted(folder.glob("*.safetensors"))[-1]
    shard.write_bytes(shard.read_bytes()[:-1])


def with_half_a_header(folder: Path) -> None:
    shard = sorted(folder.glob("*.safetensors"))[-1]
    shard.write_bytes(shard.read_bytes()[:20])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without_a_shard, "incomplete, .*is missing beside"),
        (without_the_index, "incomplete, model.safetensors is missing"),
        (with_a_short_shard, "incomplete, .*ends before its last tensor"),
        (with_half_a_header, "incomplete, .*ends before its last tensor"),
    ],
)
def test_an_incomplete_folder_is_refused(sharded: Path, tmp_path: Path, damage, words: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(sharded, folder)
    assert fingerprint(str(folder)) == fingerprint(str(sharded))
    damage(folder)
    with pytest.raises(PreflightError, match=words):
        fingerprint(str(folder))


def test_an_incomplete_adapter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "any"}))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"1234567")
    with pytest.raises(PreflightError, match="incomplete, adapter_model"):
        fingerprint(str(tmp_path))


def test_no_export_of_a_study_with_several_models_replaces_another(tmp_path: Path) -> None:
    spec = validate({**TINY, "model": ["a/final", "b/final"], "start": ["unlearned", "original"]}, "the test")
    plan, store = make_plan(read_materials(spec), str), LocalStore(tmp_path / "store")
    exported = export_checkpoints(plan, store, tmp_path / "models")
    assert len(set(exported.not_computed)) == len(exported.not_computed) == 4
    assert {path.relative_to(tmp_path / "models").parts[0] for path in exported.not_computed} == {
        "a-final",
        "b-final",
    }


def test_an_export_of_models_replaces_no_other_folder(tmp_path: Path) -> None:
    plan, store = make_plan(read_materials(validate(TINY, "the test")), str), LocalStore(tmp_path / "store")
    folder = export_checkpoints(plan, store, tmp_path / "models").not_computed[0]
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "vocab.txt"):
        (folder / name).write_text("exported before")
    assert folder in export_checkpoints(plan, store, tmp_path / "models").not_computed
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(SpecError, match=r"notes\.txt would be lost, and no export of models wrote it"):
        export_checkpoints(plan, store, tmp_path / "models")


def test_where_no_model_is_ours_the_export_says_so(tmp_path: Path) -> None:
    given = {"at": {2: "theirs/depth-2"}, "method": "unknown"}
    spec = validate({**TINY, "finetune": None, "checkpoints": given}, "the test")
    plan = make_plan(read_materials(spec), str)
    exported = export_checkpoints(plan, LocalStore(tmp_path / "store"), tmp_path / "models")
    assert exported.left_out == ["nothing to write: `checkpoints` gives the models: theirs/depth-2"]
