"""What several devices computed is pooled only by whoever names them: a device is no seed."""

from pathlib import Path

import pandas as pd
import pytest

import analysis
from analysis.report import write_report
from study.errors import SpecError
from tests.analysis.invented import Invented
from tests.commands import call

TWO = Invented(
    corpora=("prefix", "gibberish"),
    depths=(8,),
    probes=True,
    asked=10,
    device=lambda place: "cpu" if place["seed"] else "NVIDIA H100",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return TWO.write(tmp_path / "two")


def test_cells_of_two_devices_are_refused_until_somebody_names_one(folder: Path) -> None:
    with pytest.raises(
        SpecError, match=r"NVIDIA H100 \(\d+ cells\), cpu \(\d+ cells\), .* name one, as .*device="
    ):
        analysis.load(folder)
    with pytest.raises(SpecError, match="device=TPU: the cells of two were computed on NVIDIA H100, cpu"):
        analysis.load(folder, device="TPU")


def test_one_device_has_its_own_cells_answers_and_plan(folder: Path) -> None:
    study = analysis.load(folder, device="cpu")
    for frame in (study.cells, study.planned, study.probes, study.scores("keyword_anywhere")):
        assert sorted(frame["seed"].unique()) == [1, 2]
    assert study.missing.empty, "what another device computed is not missing"
    rates = analysis.surface(study, start="unlearned", corpus="prefix")
    assert rates["cells"].tolist() == [2, 2, 2]
    assert set(analysis.trajectories(study)["seeds"]) == {2}


def test_who_names_both_pools_both(folder: Path) -> None:
    both = analysis.load(folder, device=["cpu", "NVIDIA H100"])
    assert sorted(both.cells["seed"].unique()) == [0, 1, 2]
    assert len(both.cells) == len(analysis.load(folder, device="all").cells)


@pytest.mark.further
def test_a_report_has_a_chapter_for_each_and_pools_nothing(folder: Path) -> None:
    text = write_report(folder).read_text(encoding="utf-8")
    for device in ("cpu", "NVIDIA H100"):
        assert f"two, on {device}" in text
    assert "What drives it, over all studies" not in text
    assert "Is recovery foreseen" not in text, "another device is no other study"


def test_what_pools_nothing_takes_all_and_a_comparison_names_them(folder: Path, tmp_path: Path) -> None:
    assert call("export", folder, "--to", tmp_path / "export", cwd=tmp_path)[0] == 0
    written = pd.concat(pd.read_csv(path) for path in (tmp_path / "export").glob("*cells*.csv"))
    assert set(written["device"]) == {"cpu", "NVIDIA H100"}
    code, output = call("compare", folder, folder, cwd=tmp_path)
    assert code == 0
    assert "Computed on NVIDIA H100, cpu  against  NVIDIA H100, cpu" in output


def test_rows_that_do_not_say_what_computed_them_are_read(tmp_path: Path) -> None:
    before = Invented(seeds=(0, 1), device=lambda place: "cpu" if place["seed"] else None).write(
        tmp_path / "old"
    )
    assert sorted(analysis.load(before).cells["seed"].unique()) == [0, 1]
