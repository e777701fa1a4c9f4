"""How many cells have rows: counted while they are written, and beside it from the files."""

from pathlib import Path

from cluster.rows.recorder import Recorder, cells_recorded
from cluster.storage.local_store import LocalStore
from cluster.study_folder.lease import hold
from study.results.files import dataset_files, read_dataset
from study.results.merged_cells import MERGED_FILE, merge_cells
from study.results.schema import COORDINATES


def in_files(folder: Path) -> int:
    rows = read_dataset(folder, "cells", COORDINATES).to_pylist()
    return len({tuple(row.values()) for row in rows})


def test_the_count_is_that_of_the_files_after_every_stage(planned, work_through, tmp_path: Path) -> None:
    plan, store = planned(), LocalStore(tmp_path / "store")
    work_through(plan, store)
    counts = []
    with hold(tmp_path) as lease:
        recorder = Recorder(lease, plan, store)
        for key in [*plan.stages, *plan.stages]:  # the second time there is nothing to write
            recorder.record(key)
            assert recorder.cells_recorded == cells_recorded(tmp_path, plan) == in_files(tmp_path)
            counts.append(recorder.cells_recorded)
        assert 0 < counts[len(plan.stages) // 2] < counts[-1] == len(plan.cells)
        assert Recorder(lease, plan, store).cells_recorded == len(plan.cells)


def test_a_copy_of_all_cells_is_counted_while_it_is_true(finished, planned) -> None:
    folder, plan = finished(), planned()
    merge_cells(folder)
    first, *_ = dataset_files(folder, "cells")
    whole = first.read_bytes()
    first.write_bytes(b"nobody opens this one")
    assert cells_recorded(folder, plan) == len(plan.cells)
    first.write_bytes(whole)
    (folder / MERGED_FILE).write_bytes(b"torn")
    assert cells_recorded(folder, plan) == len(plan.cells)
    first.unlink()
    assert 0 < cells_recorded(folder, plan) == in_files(folder) < len(plan.cells)
