"""The arithmetic of the tables, against numbers worked out by hand."""

import json
from pathlib import Path

import pytest

from benchmarks.comparison.tables import cost_of, wall, workload_table
from benchmarks.comparison.unique_work import arms, seconds
from benchmarks.comparison.utilisation import peak_of, weights_of
from benchmarks.comparison.workloads import SMALLEST, B, Workload, grid, sample
from benchmarks.marked_section import replace_between


def facts(arm: str, cells: int, **changes: object) -> dict:
    return {
        "arm": arm,
        "repeat": 1,
        "cells": {f"cell {index}": f"answer {index}" for index in range(cells)},
        "train": {
            "finetune": {"steps": 100, "tokens": 1000, "seconds": 10.0},
            "unlearn": {"steps": 10, "tokens": 100, "seconds": 2.0},
            "relearn": {"steps": 0, "tokens": 0, "seconds": 0.0},
        },
        "evaluations": 4,
        "evaluation_seconds": 8.0,
        "seconds_to_first_step": 5.0,
        "wall_seconds": 25.0,
        "cpu_seconds": 30.0,
        "peak_bytes": 1,
        "disk_bytes": 1,
        "weights": 1_000_000,
        "adapters": ["unlearn"],
        "peak": 0.0,
        **changes,
    }


SHAPE = Workload(
    "x",
    "x",
    {"relearn_steps": [1], "corpus": ["a"], "depth": [1, 2], "seed": [0], "repetitions": [1, 2]},
    sampled={"B0": 2},
    targets={"B0": 2},
)


def test_a_sample_is_extrapolated_with_its_start_counted_once() -> None:
    assert wall(SHAPE, facts("B0", 2)) == 5 + 20 * 2
    assert wall(SHAPE, facts("B3", 4)) == 25


def test_work_takes_what_one_step_took_elsewhere() -> None:
    measured = facts("B1", 4)
    twice = facts(
        "B0", 4, train={kind: {**t, "steps": 2 * t["steps"]} for kind, t in measured["train"].items()}
    )
    assert cost_of(measured, measured) == 20
    assert cost_of(measured, twice) == 2 * 12 + 8


def test_targets_and_differences_are_told() -> None:
    ours = facts("B3", 4)
    text = workload_table(SHAPE, {"B0": [facts("B0", 2)], "B3": [ours]}, slots=2)
    assert "B0/B3 is 1.80; aimed at 2 or more: **missed**" in text
    assert "equal to the bit" in text
    other = {**ours, "cells": {**ours["cells"], "cell 1": "another"}}
    assert "B3 (run 1) differs in 1 of 4" in workload_table(
        SHAPE, {"B0": [facts("B0", 2)], "B3": [other]}, slots=2
    )


def test_utilisation_is_of_the_unique_steps() -> None:
    """A million weights: 1,000 tokens at 6 operations, 100 at 4, in 25 s and in 45 s, of 10 GFLOP/s."""
    text = workload_table(SHAPE, {"B0": [facts("B0", 2)], "B3": [facts("B3", 4, peak=1e10)]}, slots=2)
    assert "B3: model FLOP utilisation over the unique steps 2.6%." in text
    assert "B0: model FLOP utilisation over the unique steps 1.4%." in text
    assert "utilisation" not in workload_table(SHAPE, {"B3": [facts("B3", 4)]}, slots=2)


def test_the_peak_is_known_by_name_and_precision() -> None:
    assert peak_of("NVIDIA H100 80GB HBM3", "mixed") == 989e12
    assert peak_of("NVIDIA A100-SXM4-80GB", "float32") == 19.5e12
    assert peak_of("NVIDIA L4", "bfloat16") == 121e12
    assert peak_of("Something Else", "float32") is None
    assert peak_of(None, "float32") is None


def test_weights_are_counted_from_the_files(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3, 5), "b": torch.zeros(7)}, tmp_path / "one.safetensors")
    save_file({"c": torch.zeros(2, 2, 2)}, tmp_path / "two.safetensors")
    assert weights_of(tmp_path) == 15 + 7 + 8


def test_a_sample_is_stratified_and_the_same_every_time() -> None:
    cells = grid(B.fields)
    chosen = sample(cells, 24)
    assert chosen == sample(grid(B.fields), 24)
    assert len({json.dumps(cell) for cell in chosen}) == 24
    # As many strata as cells: one of each depth and step count, so the mean work is that of the grid.
    assert len({(cell["depth"], cell["relearn_steps"]) for cell in chosen}) == 24
    for size, axes in ((24, ("depth", "relearn_steps")), (6, ("relearn_steps",))):
        few = sample(grid(B.fields), size)
        for axis in axes:
            assert sum(cell[axis] for cell in few) / size == sum(cell[axis] for cell in cells) / len(cells)


def test_numbers_go_between_the_markers_only(tmp_path: Path) -> None:
    document = tmp_path / "x.md"
    document.write_text("before\n<!-- arms -->\nold\n<!-- end of arms -->\nafter\n")
    replace_between(document, "arms", "new")
    assert document.read_text() == "before\n<!-- arms -->\n\nnew\n\n<!-- end of arms -->\nafter\n"
    with pytest.raises(ValueError, match="no place for growth"):
        replace_between(document, "growth", "new")


def test_the_work_of_each_arm_by_hand() -> None:
    found = arms(SMALLEST)
    # 2 repetition counts × 2 step counts, finetuned for 3, unlearned for 1, relearned for 0 or 2; what the arms
    # really execute is counted in test_smallest.
    assert found["B0, B1"] == {"finetune": 12, "unlearn": 4, "relearn": 4, "evaluations": 4}
    assert found["B2"] == {"finetune": 6, "unlearn": 2, "relearn": 4, "evaluations": 4}
    assert found["B3"] == {"finetune": 6, "unlearn": 2, "relearn": 4, "evaluations": 7}
    assert seconds(found["B3"], (1000, 1000, 1000, 1000)) == 6 + 2 + 4 + 7
