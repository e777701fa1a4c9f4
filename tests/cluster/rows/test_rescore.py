"""``relearn score``: a score added from the stored completions, equal to what the run itself would have written."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cluster.rows.recorder import Recorder
from cluster.rows.rescore import rescore, text_scorer
from cluster.storage.local_store import LocalStore
from cluster.study_folder.lease import hold
from study.results.files import dataset_files, read_dataset, read_file, write_table
from study.results.schema import SCORES_VERSION
from tests.commands import call


def study(planned, work_through, folder: Path) -> Path:
    plan = planned()
    store = LocalStore(folder / "store")
    work_through(plan, store)
    with hold(folder) as lease:
        recorder = Recorder(lease, plan, store)
        for key in plan.stages:
            recorder.record(key)
    return folder


def score(folder: Path, metric: str) -> int:
    with hold(folder) as lease:
        return rescore(lease, text_scorer(metric))


def test_a_score_is_added_and_nothing_else_changes(planned, work_through, tmp_path: Path) -> None:
    folder = study(planned, work_through, tmp_path)
    before = {name: read_dataset(folder, name) for name in ("probes", "cells")}
    assert pc.all(pc.is_null(before["probes"]["rouge_l"])).as_py()
    scored = score(folder, "rouge_l")
    probes, cells = read_dataset(folder, "probes"), read_dataset(folder, "cells")
    assert scored == probes.num_rows > 0
    assert not pc.any(pc.is_null(probes["rouge_l"])).as_py()
    assert probes.drop_columns(["rouge_l"]).equals(before["probes"].drop_columns(["rouge_l"]))
    added = set(cells["metric"].to_pylist()) - set(before["cells"]["metric"].to_pylist())
    assert added == {"rouge_l"}
    # ROUGE-L is a part of utility where it is scored; every other row is as it was.
    kept = pc.invert(pc.is_in(cells["metric"], pa.array(["rouge_l", "utility"])))
    old = pc.not_equal(before["cells"]["metric"], "utility")
    assert cells.filter(kept).equals(before["cells"].filter(old))


def test_scoring_twice_is_scoring_once(planned, work_through, tmp_path: Path) -> None:
    folder = study(planned, work_through, tmp_path)
    score(folder, "exact")
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    score(folder, "exact")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")} == files


def test_rows_of_before_say_their_version(planned, work_through, tmp_path: Path) -> None:
    """Scored again, all scores of a row become the newest, since a row has one version."""
    folder = study(planned, work_through, tmp_path)
    new = read_dataset(folder, "probes")
    assert set(new["scores_version"].to_pylist()) == {SCORES_VERSION}
    for dataset in ("cells", "probes"):
        for path in dataset_files(folder, dataset):
            rows = read_file(path, dataset)
            if dataset == "probes":  # an older version found nothing
                at = rows.column_names.index("keyword_hit")
                none = pa.array([None if hit is None else False for hit in rows["keyword_hit"].to_pylist()])
                rows = rows.set_column(at, rows.schema.field(at), none).drop_columns(["rouge_l_ascii"])
            write_table(rows.drop_columns(["scores_version"]), path)
    for dataset in ("cells", "probes"):
        assert set(read_dataset(folder, dataset)["scores_version"].to_pylist()) == {1}
    score(folder, "exact")
    after = read_dataset(folder, "probes")
    assert set(after["scores_version"].to_pylist()) == {SCORES_VERSION}
    assert after["keyword_hit"].equals(new["keyword_hit"])
    assert set(read_dataset(folder, "cells")["scores_version"].to_pylist()) == {SCORES_VERSION}


def test_a_study_that_cannot_be_written(finished, tmp_path: Path) -> None:
    leases = finished() / ".driver"
    shutil.rmtree(leases)
    leases.write_text("in the way, as a disk that is mounted for reading")
    code, output = call("score", "s", "--metric", "rouge_l", cwd=tmp_path)
    assert code == 3, output
    assert "the study folder s cannot be written: File exists; give a folder that you may write" in output
    assert "make room" not in output


def test_the_command_and_its_mistakes(finished, tmp_path: Path) -> None:
    finished()
    code, output = call("score", "s", "--metric", "rouge_l", cwd=tmp_path)
    assert code == 0, output
    assert "probes have a score rouge_l" in output
    code, output = call("score", "s", "--metric", "rogue_l", cwd=tmp_path)
    assert code == 2
    assert "did you mean 'rouge_l'" in output
    code, output = call("score", "gone", "--metric", "rouge_l", cwd=tmp_path)
    assert code == 2
    assert "is no study" in output
