"""A study over a bucket goes on in an empty folder: from the copy of its study.json, with its rows made again."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands import call, rows_of

pytestmark = pytest.mark.usefixtures("without_ray")
GRID = {"depth": [1, 2]}


@pytest.mark.further
def test_an_empty_folder_goes_on(bucket, space, undisturbed, tmp_path: Path) -> None:
    location = bucket("s3")
    code, output = call("run", space(**GRID), "--study", "s", "--store", location, cwd=tmp_path)
    assert code == 0, output
    longer = {**GRID, "relearn_steps": [0, 2, 3]}
    code, output = call("run", space(**longer), "--study", "s", "--store", location, cwd=tmp_path)
    assert code == 0, output
    expected = undisturbed(**longer)
    assert rows_of(tmp_path / "s")["cells"].equals(expected["cells"])
    shutil.rmtree(tmp_path / "s")

    code, output = call("status", "s", "--store", location, "--json", cwd=tmp_path)
    found = json.loads(output)
    assert (code, found["stages_missing"], found["cells_recorded"]) == (0, 0, 0)
    code, output = call("resume", "s", "--store", location, cwd=tmp_path)
    assert code == 0, output
    assert "0 stages run now" in output
    for dataset, rows in rows_of(tmp_path / "s").items():
        assert rows.equals(expected[dataset])
    code, output = call("verify", "s", cwd=tmp_path)
    assert code == 0, output
    assert "0 problems" in output

    # The folder of another name is none that the bucket knows, and one with other things is left alone.
    code, output = call("resume", "other", "--store", location, cwd=tmp_path)
    assert (code, "keeps no study called other (it has s)" in output) == (2, True), output
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("precious")
    code, output = call("resume", "thesis", "--store", location, cwd=tmp_path)
    assert (code, "not empty" in output) == (2, True), output


def test_a_damaged_artifact_is_found_put_aside_and_computed_again(bucket, space, tmp_path: Path) -> None:
    import fsspec

    location = bucket("s3")
    assert call("run", space(), "--study", "s", "--store", location, cwd=tmp_path)[0] == 0
    before = rows_of(tmp_path / "s")
    files, root = fsspec.core.url_to_fs(location, use_listings_cache=False)
    spoilt = next(path for path in files.find(root) if path.endswith(".parquet"))
    files.pipe_file(spoilt, b"spoilt")
    code, output = call("verify", "s", cwd=tmp_path)
    assert (code, "another hash" in output) == (5, True), output
    code, output = call("verify", "s", "--repair", cwd=tmp_path)
    assert code == 0, output
    code, output = call("resume", "s", cwd=tmp_path)
    assert (code, "1 stage run now" in output) == (0, True), output
    assert all(rows.equals(before[dataset]) for dataset, rows in rows_of(tmp_path / "s").items())


@pytest.mark.parametrize(
    "verb", ["status", "resume", "verify", "logs", "stop", "cancel", "score", "checkpoints"]
)
def test_every_verb_refuses_an_address_as_the_folder_of_a_study(tmp_path: Path, verb: str) -> None:
    more = ["--metric", "rouge_l"] if verb == "score" else []
    code, output = call(verb, "s3://bucket/x", *more, cwd=tmp_path)
    assert (code, "s3://bucket/x is no folder" in output, "Traceback" in output) == (2, True, False), output
    assert list(tmp_path.iterdir()) == []
