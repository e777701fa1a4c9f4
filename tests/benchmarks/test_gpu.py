"""The script for a GPU, each of its parts on a CPU in small, and the page that is made from its numbers."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.gpu import disk
from benchmarks.gpu.__main__ import PARTS, measure
from benchmarks.gpu.page import page
from benchmarks.gpu.placements import KEPT, ONE, TWO
from benchmarks.gpu.setting import model_folder, prepare
from benchmarks.gpu_science import SPACE, sizes
from search_spaces.loading import load_space

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("gpu")
    torch.set_num_threads(1)
    quick = [name for name in PARTS if name != "arms"]  # tests/benchmarks/test_smallest.py runs the arms
    found = measure(prepare(folder, small=True, device=torch.device("cpu")), quick, minutes=9)
    assert json.loads((folder / "gpu.json").read_text()) == found
    return found


def test_every_part_runs(measured: dict[str, Any]) -> None:
    assert not [name for name in PARTS if "failed" in measured.get(name, {})], measured
    assert {row["kind"] for row in measured["steps"]} == {"finetune", "relearn"}
    assert all(row["ms"] > 0 for row in measured["steps"])
    assert [row["method"] for row in measured["whole"]] == ["gradient_ascent"] * 2
    assert all(row["told_gib"] > 0 for row in measured["whole"])


def test_weights_cast_once_give_equal_rows(measured: dict[str, Any]) -> None:
    assert [row["rows equal"] for row in measured["asking"]["rows"] if "rows equal" in row] == [True]


@pytest.mark.parametrize("kind", ["finetune", "relearn"])
def test_a_cpu_gives_the_same_bits(measured: dict[str, Any], kind: str) -> None:
    found = measured["bits"][kind]
    assert found["again"] == found["cut off and gone on with"] == found["deterministic, again"] == 0.0
    assert found["answers again"]
    assert found["two micro-batches"] < 0.1


def test_layers_elsewhere_give_equal_bits(measured: dict[str, Any]) -> None:
    found = {row["placement"]: row["bits equal"] for row in measured["placements"]}
    assert found == dict.fromkeys((ONE, TWO, KEPT), True)


def test_what_checkpoints_take(tmp_path: Path) -> None:
    model = model_folder(tmp_path, small=True)
    whole, adapters = (disk.measure(title, model) for title in disk.WAYS)
    assert whole.read == 2 * whole.checkpoint, "its parent's and the origin's"
    assert adapters.read == 2 * adapters.checkpoint, "the two links of its chain"
    assert 4 * adapters.checkpoint < whole.checkpoint


def test_the_page(measured: dict[str, Any], tmp_path: Path) -> None:
    text = page(measured)
    assert "no GPU" in text
    assert "| mixed | all weights |" in text
    on_a_card = {
        **measured,
        "facts": {**measured["facts"], "card": "NVIDIA H100 80GB HBM3", "driver": "570.86"},
    }
    assert "NVIDIA H100 80GB HBM3, driver 570.86" in page(on_a_card)
    one_card = [row for row in measured["placements"] if row["placement"] != TWO]
    one_card.append({"placement": TWO, "not measured": "one card"})
    assert "two cards: not measured: one card" in page({**measured, "placements": one_card})


def test_a_page_without_any_number_says_so() -> None:
    assert page({}).count("not measured") == len(PARTS)


@pytest.mark.slow
def test_the_memory_that_is_told_is_taken() -> None:
    """Peaks of this machine's memory, each shape within 15% of what was told."""
    command = [sys.executable, "-m", "benchmarks.gpu.memory"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    ratios = [float(line.split("|")[-2]) for line in done.stdout.splitlines() if "float32" in line]
    assert len(ratios) >= 4
    assert all(0.85 <= ratio <= 1.15 for ratio in ratios), done.stdout


def test_each_size_of_the_study_holds_the_one_before() -> None:
    """So that a study which was lent a card before goes on, and computes only what is missing."""
    specs = [load_space(SPACE, [*axes, "model=a-model"]) for axes in sizes()]
    for smaller, larger in pairwise(specs):
        axes = ("method", "depth", "seed")
        assert all(set(getattr(smaller, axis)) <= set(getattr(larger, axis)) for axis in axes)
        assert smaller != larger
    first, last = (
        spec.model_copy(update=dict.fromkeys(("depth", "seed"), (1,))) for spec in (specs[0], specs[-1])
    )
    assert last.model_copy(update={"method": first.method}) == first
