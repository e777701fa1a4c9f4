"""What only a store in a folder can meet: a folder that cannot be written, a full disk."""

import os
import subprocess
from pathlib import Path

import pytest

from cluster.storage.local_store import LocalStore
from study.errors import PreflightError


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PreflightError, match=r"cannot be written.*bytes free"):
        LocalStore(tmp_path / "file" / "store").prepare()


@pytest.mark.skipif(not Path("/dev/full").exists() or os.getuid() != 0, reason="needs to mount a small disk")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        with pytest.raises(PreflightError, match=r"No space left.*bytes free"):
            LocalStore(disk / "store").prepare()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
