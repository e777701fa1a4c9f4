"""Real mounts that are no local disk: FAT, of the kernel and over FUSE, and a folder of another machine over SFTP.

Each is skipped where its program is missing (Debian: dosfstools, fusefat, sshfs, openssh-sftp-server) or the kernel
does not mount it. A real NFS is not among them: it needs a kernel that mounts it.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.commands import wait_for
from tests.faults.at_once import at_once
from tests.faults.checker import Fault
from tests.faults.storage.test_storage_that_refuses import SMALL

pytestmark = [
    pytest.mark.repeats,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("root"),
]
SFTP_SERVER = Path("/usr/lib/openssh/sftp-server")
Mount = Callable[[str], Path]


def needs(file_system: str, *programs: str) -> None:
    known = file_system in Path("/proc/filesystems").read_text().split()
    if not known or not all(shutil.which(program) for program in programs):
        pytest.skip(f"needs {', '.join(programs)}, and a kernel that mounts {file_system}")


@contextmanager
def fat(place: Path, *mount: str) -> Iterator[None]:
    """A new image of FAT, mounted by a command to which its name and the place are added."""
    image = place.with_suffix(".image")
    image.touch()
    os.truncate(image, 128 * 2**20)
    subprocess.run(["mkfs.vfat", str(image)], check=True, capture_output=True)
    subprocess.run([*mount, str(image), str(place)], check=True, capture_output=True)
    yield
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def sftp(place: Path, *options: str) -> Iterator[None]:
    """A folder that a server of SFTP gives out, mounted; the two speak through pipes."""
    given = place.with_suffix(".given")
    given.mkdir()
    with subprocess.Popen([SFTP_SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        client = subprocess.Popen(
            ["sshfs", f":{given}", str(place), "-f", "-o", ",".join(["passive", *options])],
            stdin=server.stdout,
            stdout=server.stdin,
        )
        wait_for(place.is_mount, 30)
        yield
        subprocess.run(["umount", "--lazy", str(place)], check=True)
        client.wait(30)
        server.terminate()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mount]:
    """``mounted("fat of the kernel")``: the folder where that is mounted until the test ends."""
    place = tmp_path / "mount"
    place.mkdir()
    with ExitStack() as until_then:

        def mount(what: str) -> Path:
            if what == "fat of the kernel":
                needs("vfat", "mkfs.vfat")
                until_then.enter_context(fat(place, "mount", "-o", "loop"))
            elif what == "fat over FUSE":
                needs("fuse", "mkfs.vfat", "fusefat")
                until_then.enter_context(fat(place, "fusefat", "-o", "rw+"))
            else:
                needs("fuse", "sshfs", str(SFTP_SERVER))
                until_then.enter_context(sftp(place, *["disable_hardlink"] * ("without" in what)))
            return place

        yield mount


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("fat of the kernel", marks=pytest.mark.fault("storage: FAT, mounted by the kernel")),
        pytest.param(
            "sftp", marks=pytest.mark.fault("storage: a folder of another machine over SFTP (FUSE)")
        ),
    ],
)
def test_a_study_on_a_mount(space, undisturbed, fault: Fault, mounted: Mount, what: str) -> None:
    place, path = mounted(what), space(**SMALL)
    for name in ("s", "t", "u"):
        (ended,) = at_once([("run", path, "--study", name)], place)
        fault.inject()
        assert ended.code == 0, ended
        fault.check(place / name, undisturbed(**SMALL), code=0)


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("fat over FUSE", marks=pytest.mark.fault("storage: FAT over FUSE, refused")),
        pytest.param(
            "sftp without links", marks=pytest.mark.fault("storage: SFTP without hard links, refused")
        ),
    ],
)
def test_a_mount_that_creates_nothing_exclusively(space, fault: Fault, mounted: Mount, what: str) -> None:
    """No hard links, and a rename replaces what it finds: refused, since nothing would tell the first writer."""
    place = mounted(what)
    for name in ("s", "t", "u"):
        (ended,) = at_once([("run", space(), "--study", name)], place)
        fault.inject()
        assert ended.code == 3, ended
        assert "--st" in ended.output, "says what to do: another --store or --study"
        assert "Traceback" not in ended.output
        assert not list(place.rglob("record.json"))
