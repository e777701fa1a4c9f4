"""A report reads and measures once: each file of rows is opened as often as it must be, each measure computed once."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import analysis.report.measured_study as measured_study
import analysis.report.sections.trajectories as trajectory_section
from analysis.measures.recovery.flow import flow
from analysis.measures.trajectories import trajectories
from analysis.reading.study_frames import Study
from analysis.report import write_report
from study.results.files import dataset_folder
from tests.analysis.conftest import lawful


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each Parquet file is opened, by its folder's name and its own."""
    counts: Counter[str] = Counter()

    class Counting(pq.ParquetFile):
        def __init__(self, source: Any, **options: Any) -> None:
            path = Path(source)
            counts[f"{path.parent.name}/{path.name}"] += 1
            super().__init__(source, **options)

    monkeypatch.setattr(pq, "ParquetFile", Counting)
    return counts


@pytest.mark.further
def test_each_file_is_read_once_and_the_gallery_reads_its_texts(study_folder, opened: Counter[str]) -> None:
    """The gallery's are the only probes that are read with their texts, and only from the files of its stages.

    The names of the probes, which say what shares a title, are read by themselves: a column, once.
    """
    folder = study_folder(lawful, repetitions=(7,), original=0.95)
    probes = dataset_folder(folder, "probes")
    rows = pq.read_table(probes / "all.parquet")
    (probes / "all.parquet").rename(probes / f"{'0' * 32}-000000.parquet")
    pq.write_table(rows.slice(0, 0), probes / f"{'1' * 32}-000000.parquet")
    opened.clear()
    write_report(folder)
    assert opened == {
        "cells/all.parquet": 1,
        "study/corpora.parquet": 1,
        f"probes/{'0' * 32}-000000.parquet": 3,
        f"probes/{'1' * 32}-000000.parquet": 2,
    }


def test_each_measure_is_computed_once_for_each_study(
    study_folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study_folder(lawful, repetitions=(7,)).rename(tmp_path / "one")
    second = study_folder(lawful, repetitions=(1,), corpora=("prefix",)).rename(tmp_path / "two")
    calls: Counter[tuple[str, str]] = Counter()

    def counting(study: Study) -> Any:
        calls["trajectories", study.name] += 1
        return trajectories(study)

    def counting_flow(study: Study, steps: Any) -> Any:
        calls["flow", study.name] += 1
        return flow(study, steps)

    monkeypatch.setattr(trajectory_section, "trajectories", counting)
    monkeypatch.setattr(measured_study, "flow", counting_flow)
    for name in ("headline_cells", "missing"):
        measure = vars(Study)[name].func

        def counted(study: Study, name: str = name, measure: Any = measure) -> Any:
            calls[name, study.name] += 1
            return measure(study)

        monkeypatch.setattr(vars(Study)[name], "func", counted)
    write_report([first, second])
    measures = ("trajectories", "flow", "headline_cells", "missing")
    assert calls == {(name, study): 1 for name in measures for study in ("one", "two")}
