"""A stranger's unlearned models: a series of our own, exported and attacked as if it were one."""

import json
from pathlib import Path

import pandas as pd
import pytest

from study.results.files import read_dataset
from study.results.schema import COORDINATES
from tests.commands import call
from tests.conftest import TINY

pytestmark = pytest.mark.usefixtures("without_ray")
GRID = {"depth": [1, 3], "corpus": ["prefix", "retain"], "relearn_steps": [0, 1, 2], "seed": [3]}
SCORES = ["probe", "completion", "target_nll", "target_rank", "keyword_hit"]
PLACE = [name for name in COORDINATES if name not in ("method", "model")]


def unlearned(study: Path) -> pd.DataFrame:
    rows = read_dataset(study, "probes").to_pandas()
    rows = rows[(rows["start"] == "unlearned")]
    return rows[[*PLACE, *SCORES]].sort_values([*PLACE, "probe"]).reset_index(drop=True)


@pytest.mark.parametrize("lora", [None, {"rank": 2}], ids=["full", "lora"])
def test_rows_equal_those_of_the_study_that_made_them(tmp_path: Path, lora: dict | None) -> None:
    fields = {**TINY, **GRID, "relearn": {**TINY["relearn"], "lora": lora}}
    (tmp_path / "ours.json").write_text(json.dumps(fields))
    code, output = call("run", "ours.json", "--study", "ours", cwd=tmp_path)
    assert code == 0, output
    code, output = call("checkpoints", "ours", "--to", "models", cwd=tmp_path)
    assert code == 0, output
    assert "|" not in output, "into a pipe goes no progress bar"
    series = {depth: f"models/gradient_ascent/repetitions-7/seed-3/depth-{depth}" for depth in (1, 3)}
    assert all((tmp_path / folder / "model.safetensors").is_file() for folder in series.values())
    theirs = {
        **fields,
        "name": "theirs",
        "checkpoints": {"at": series, "method": "unknown"},
        "finetune": None,
    }
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    code, output = call("run", "theirs.json", "--study", "theirs", cwd=tmp_path)
    assert code == 0, output
    found = unlearned(tmp_path / "theirs")
    assert len(found) > 0
    pd.testing.assert_frame_equal(found, unlearned(tmp_path / "ours"), check_exact=True)
    cells = read_dataset(tmp_path / "theirs", "cells").to_pandas()
    assert set(cells["method"]) == {"unknown"}
    assert set(cells["start"]) == {"unlearned"}
    code, output = call("report", "theirs", cwd=tmp_path)
    assert code == 0, output


def test_the_original_beside_them(tmp_path: Path) -> None:
    """With the original model, it is asked and relearned too; and a depth that was not given is refused."""
    (tmp_path / "ours.json").write_text(json.dumps({**TINY, **GRID, "start": ["unlearned", "original"]}))
    assert call("run", "ours.json", "--study", "ours", cwd=tmp_path)[0] == 0
    assert call("checkpoints", "ours", "--to", "models", cwd=tmp_path)[0] == 0
    place = "repetitions-7/seed-3/depth"
    theirs = {
        **TINY,
        **GRID,
        "start": ["unlearned", "original"],
        "model": [f"models/original/{place}-0"],
        "finetune": None,
        "checkpoints": {
            "at": {1: f"models/gradient_ascent/{place}-1", 3: f"models/gradient_ascent/{place}-3"}
        },
    }
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    code, output = call("run", "theirs.json", "--study", "theirs", cwd=tmp_path)
    assert code == 0, output
    cells = read_dataset(tmp_path / "theirs", "cells").to_pandas()
    assert set(cells["start"]) == {"unlearned", "original"}
    code, output = call("plan", "theirs.json", "--set", "depth=[2]", cwd=tmp_path)
    assert code == 2, output
    assert "`checkpoints` has 1, 3" in output
