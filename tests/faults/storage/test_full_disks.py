"""A disk that is full: a small tmpfs under the rows, under the checkpoints, under the temporary folder."""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands import published, wait_for
from tests.faults.checker import Fault
from tests.faults.conftest import GRID, ONE_OF_EACH

pytestmark = [pytest.mark.usefixtures("root"), pytest.mark.timeout(300)]
ROOM = 64 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Mounts a file system of a few megabytes at a folder."""
    mounted = []

    def mount(folder: Path, size: str = "4m") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all that is left, however much the study writes meanwhile."""
    ballast = folder / ".ballast"
    with ballast.open("wb", buffering=0) as handle, contextlib.suppress(OSError):
        while handle.write(b"x" * 4096):
            pass
    return ballast


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("s", marks=[pytest.mark.fault("disk full under the rows"), pytest.mark.slow]),
        pytest.param("store", marks=[pytest.mark.fault("disk full under the checkpoints"), pytest.mark.slow]),
    ],
)
def test_a_disk_fills_up_while_a_study_runs(
    relearn, resume, on_ray: bool, space, undisturbed, fault: Fault, small_disk, tmp_path: Path, place: str
) -> None:
    study = tmp_path / "s"
    disk = small_disk(tmp_path / place)
    store = "s/store" if place == "s" else place
    call = relearn("run", space(**ONE_OF_EACH), "--study", "s", "--store", store, with_ray=on_ray)
    wait_for(lambda: len(published(study)) >= 3)
    fault.before(study, call)
    ballast = fill(disk)
    fault.inject()
    code, output = call.finish(120)
    assert code == 3, output
    assert "no space left for" in output
    assert "bytes free" in output
    assert "Traceback" not in output
    ballast.unlink()
    fault.check(study, undisturbed(**ONE_OF_EACH), code=code, complete=False)
    code, output = resume("s")
    assert code == 0, output
    fault.check(study, undisturbed(**ONE_OF_EACH), code=code, repeated=4)


@pytest.mark.slow
@pytest.mark.fault("disk full under the temporary folder")
def test_the_temporary_folder_is_full(
    relearn, space, undisturbed, fault: Fault, small_disk, tmp_path: Path
) -> None:
    disk = small_disk(Path(tempfile.mkdtemp(prefix="t", dir="/tmp")))
    ballast = fill(disk)
    fault.inject()
    environment = {"TMPDIR": str(disk), "RAY_TMPDIR": str(disk)}
    code, output = relearn("run", space(**GRID), "--study", "s", environment=environment).finish(120)
    assert code == 3, output
    assert str(disk) in output
    assert "bytes free" in output
    assert "Traceback" not in output
    ballast.unlink()
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    fault.check(tmp_path / "s", undisturbed(**GRID), code=code)
