"""The cube against the rows it was made of, and the file against the cube."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

import analysis
from analysis.export.cube import cube, write_cube
from analysis.export.files import export
from study.errors import SpecError
from study.results.schema import COORDINATES
from tests.analysis.conftest import lawful


def test_every_row_has_its_place_and_what_is_missing_is_nan(study_folder) -> None:
    gone = lambda depth, relearn_steps, **p: (  # noqa: E731
        None if (depth, relearn_steps) == (8, 40) else lawful(depth=depth, relearn_steps=relearn_steps, **p)
    )
    study = analysis.load(study_folder(gone))
    made = cube(study)
    assert list(made["forget_keyword_anywhere"].dims) == list(COORDINATES)
    for row in study.cells.to_dict("records"):
        place = {name: row[name] for name in COORDINATES}
        found = made[f"forget_{row['metric']}"].sel(place).item()
        assert found == row["value"]
    values = made["forget_keyword_anywhere"].to_numpy()
    assert np.isfinite(values).sum() == len(study.cells) / 2
    hole = {"start": "unlearned", "depth": 8, "relearn_steps": 40}
    assert np.isnan(made["forget_keyword_anywhere"].sel(hole)).all()
    k, n = made["forget_keyword_anywhere_k"], made["forget_keyword_anywhere_n"]
    assert float(abs(k / n - made["forget_keyword_anywhere"]).max()) == 0
    assert "forget_target_nll_k" not in made


def test_the_file_holds_the_cube(study_folder, tmp_path: Path) -> None:
    folder = study_folder(lawful)
    (path,) = export(folder, "netcdf", tmp_path)
    study = analysis.load(folder)
    with xarray.open_dataset(path, engine="scipy") as read:
        made = cube(study)
        assert set(read.data_vars) == set(made.data_vars)
        for name in made.data_vars:
            np.testing.assert_array_equal(read[name].to_numpy(), made[name].to_numpy())
        for name in COORDINATES:
            assert read[name].to_numpy().tolist() == made[name].to_numpy().tolist()
        assert read["forget_target_nll"].attrs["units"] == "nat"
        assert read["depth"].attrs["units"] == "optimiser steps"
        assert read.attrs["question"] == "Does it?"
        assert '"wall_seconds": 3.0' in read.attrs["provenance"]
        mean = read["forget_keyword_anywhere"].sel(start="never_learned").mean()
        assert float(mean) == 0


def test_no_cell_makes_no_cube(study_folder, tmp_path: Path) -> None:
    study = analysis.load(study_folder(lambda **_: None))
    with pytest.raises(SpecError, match="no cell has been accepted"):
        write_cube(study, tmp_path / "cells.nc")


def test_a_cube_that_is_mostly_empty_is_refused(study_folder, monkeypatch) -> None:
    monkeypatch.setattr("analysis.export.cube.MOST_VALUES", 1000)
    with pytest.raises(SpecError, match=r"relearn_steps 3.*at most 1,000"):
        cube(analysis.load(study_folder(lawful)))


def test_without_xarray_it_says_what_to_install(study_folder) -> None:
    folder = study_folder(lawful)
    script = "import sys; sys.modules['xarray'] = None; import relearn; relearn.main()"
    command = [sys.executable, "-c", script, "export", str(folder), "--format", "netcdf"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3
    assert "pip install 'relearn[cube]'" in done.stderr
    assert "Traceback" not in done.stderr
