"""A model folder's large files are hashed once a machine, and again after any change."""

import os
import shutil
from pathlib import Path

import pytest

import study.models.known_hashes
from study.identity import file_sha256
from study.models.known_hashes import known_sha256
from study.models.pretrained import _digest_of, fingerprint
from tests.study.test_pretrained import make_folder


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of the files that are read to be hashed; all count as large, and as unchanged for long."""
    found: list[str] = []
    monkeypatch.setenv("RELEARN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(study.models.known_hashes, "SMALLEST", 1)
    monkeypatch.setattr(study.models.known_hashes, "SETTLED_SECONDS", -1.0)

    def noted(path: Path) -> str:
        found.append(path.name)
        return file_sha256(path)

    monkeypatch.setattr(study.models.known_hashes, "file_sha256", noted)
    return found


def test_the_next_command_reads_no_weights(tmp_path: Path, hashed: list[str]) -> None:
    folder = make_folder(tmp_path / "model")
    before = fingerprint(str(folder))
    assert hashed.count("model.safetensors") == 1
    _digest_of.cache_clear()  # as another process begins
    hashed.clear()
    assert fingerprint(str(folder)) == before
    assert hashed == []


@pytest.mark.parametrize("change", ["written", "written, and its time put back", "another of the same time"])
def test_a_changed_file_is_read_again(tmp_path: Path, hashed: list[str], change: str) -> None:
    path, other = tmp_path / "weights", tmp_path / "other"
    path.write_bytes(b"one" * 100)
    known_sha256(path)
    times = path.stat()
    if change == "another of the same time":
        other.write_bytes(b"two" * 100)
        other.replace(path)
    else:
        path.write_bytes(b"two" * 100)
    if change != "written":
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert known_sha256(path) == file_sha256(path)
    assert hashed == ["weights", "weights"]


def test_what_changed_a_moment_ago_or_cannot_be_remembered(
    tmp_path: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"one" * 100)
    monkeypatch.setattr(study.models.known_hashes, "SETTLED_SECONDS", 3600.0)
    assert known_sha256(path) == known_sha256(path) == file_sha256(path)
    assert len(hashed) == 2
    monkeypatch.setattr(study.models.known_hashes, "SETTLED_SECONDS", -1.0)
    monkeypatch.setenv("RELEARN_CACHE", str(path / "no folder"))
    assert known_sha256(path) == known_sha256(path) == file_sha256(path)
    assert len(hashed) == 4
    monkeypatch.setenv("RELEARN_CACHE", str(tmp_path / "cache"))
    known_sha256(path)
    (note,) = [each for each in (tmp_path / "cache").rglob("*") if each.is_file()]
    note.write_text("half")
    assert known_sha256(path) == file_sha256(path)
    shutil.rmtree(tmp_path / "cache")
    assert known_sha256(path) == file_sha256(path)
    assert len(hashed) == 7
