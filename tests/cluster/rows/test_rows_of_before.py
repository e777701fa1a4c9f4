"""Rows that were written before a column was added are read, verified and scored again."""

from pathlib import Path

import pyarrow.parquet as pq

import analysis
from cluster.storage.local_store import LocalStore
from cluster.verification.verify import verify_study
from study.results.files import dataset_files, read_dataset, write_table
from tests.commands import call


def test_a_study_without_the_column_device(finished, planned, tmp_path: Path) -> None:
    changes = {"relearn_steps": [0, 1]}
    folder = finished(**changes)
    for path in dataset_files(folder, "cells"):
        write_table(pq.read_table(path).drop_columns(["device"]), path)
    assert read_dataset(folder, "cells").column("device").null_count == read_dataset(folder, "cells").num_rows
    assert read_dataset(folder, "cells", ["device", "value"]).column_names == ["device", "value"]
    assert analysis.load(folder).cells["device"].isna().all()
    report = verify_study(folder, LocalStore(folder / "store"), lambda: planned(**changes), repair=False)
    assert not report.problems
    code, output = call("score", folder, "--metric", "rouge_l", cwd=tmp_path)
    assert code == 0, output
    assert set(read_dataset(folder, "cells").column("metric").to_pylist()) >= {"rouge_l"}
