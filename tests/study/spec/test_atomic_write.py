"""Files appear whole or not at all, in an order that a power cut cannot undo."""

import json
import os
from pathlib import Path

import pytest

from study.artifacts.atomic_write import checksum_file, matches_checksum, write_bytes, write_file, write_json


def half_a_file(path: Path) -> None:
    path.write_text("half of it")
    raise OSError("the disk is full")


@pytest.mark.parametrize("checksum", [False, True])
def test_what_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path, checksum: bool) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"before", checksum=checksum)
    names = sorted(each.name for each in tmp_path.iterdir())
    with pytest.raises(OSError, match="full"):
        write_file(path, half_a_file, checksum=checksum)
    assert path.read_bytes() == b"before"
    assert sorted(each.name for each in tmp_path.iterdir()) == names


@pytest.mark.parametrize("interrupted", range(3))
def test_a_file_is_one_whose_checksum_is_known_wherever_the_writer_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: int
) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"before", checksum=True)
    replace, calls = Path.replace, []

    def killed_at_the_nth(this: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) > interrupted:
            raise KeyboardInterrupt
        return replace(this, target)

    monkeypatch.setattr(Path, "replace", killed_at_the_nth)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b"after", checksum=True)
    monkeypatch.undo()
    assert path.read_bytes() in (b"before", b"after")
    assert matches_checksum(path)
    write_bytes(path, b"after", checksum=True)
    assert matches_checksum(path)
    assert len(checksum_file(path).read_text().split()) == 1
    path.write_bytes(b"other")
    assert not matches_checksum(path)


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{handle}").resolve() == tmp_path.resolve() else "bytes")
        fsync(handle)

    def replaced(this: Path, target: Path) -> Path:
        done.append("name")
        return replace(this, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    write_bytes(tmp_path / "file", b"content")
    assert done == ["bytes", "name", "folder"]
    done.clear()
    write_bytes(tmp_path / "file", b"content", durable=False)
    assert done == ["name"]


def test_the_first_of_two_writers_wins_where_nothing_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    assert write_bytes(path, b"first", replace=False)
    assert not write_bytes(path, b"second", replace=False)
    assert path.read_bytes() == b"first"
    assert list(path.parent.iterdir()) == [path]


def test_json_that_no_encoding_has_is_read_back(tmp_path: Path) -> None:
    content = {"name": "Grüße \udc80", "depth": [1, 2]}
    write_json(tmp_path / "file", content)
    assert json.loads((tmp_path / "file").read_text(encoding="utf-8")) == content
