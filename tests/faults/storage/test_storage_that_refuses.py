"""Storage that is no local disk: it works all the same, or is refused before anything is spent; never half.

A library in C (refusing.c), preloaded, lets system calls on the study's folder fail as such file systems do.
``test_mounts.py`` has real ones.
"""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands import ROOT, call, published, wait_for, wait_until_published
from tests.faults.at_once import at_once
from tests.faults.checker import Fault
from tests.faults.conftest import GRID
from tests.faults.refusing import library

pytestmark = pytest.mark.repeats
needs_gcc = pytest.mark.skipif(library() is None, reason="needs gcc, on Linux")
LINKS = [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK]
WORKS = {
    **{f"hard links refused ({errno.errorcode[number]})": f"link={number}" for number in LINKS},
    "hard links refused between folders (EXDEV)": f"link-between={errno.EXDEV}",
    "locks refused (ENOLCK)": f"lock={errno.ENOLCK}",
    "locks refused (ENOSYS)": f"lock={errno.ENOSYS}",
    "fsync of a folder refused (EINVAL, as on CIFS)": f"sync-folder={errno.EINVAL}",
    "fsync of a folder refused (ENOSYS)": f"sync-folder={errno.ENOSYS}",
}
REFUSED = {
    "no exclusive creation: hard links and renames without replacing refused": (
        f"link={errno.EPERM} noreplace={errno.EINVAL}"
    ),
    "fsync of files refused (EINVAL)": f"sync={errno.EINVAL}",
    "a read-only file system (EROFS)": f"write={errno.EROFS}",
}
SMALL = {"start": ["unlearned"], "depth": [1, 2]}


@pytest.fixture
def refusing(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """``refusing("link=1")``: an environment in which that is refused under ``tmp_path/s``."""

    def environment(refuse: str, **more: str) -> dict[str, str]:
        under = {"REFUSE_UNDER": str(tmp_path / "s"), "REFUSE": refuse, **more}
        return {"LD_PRELOAD": str(library()), "PYTHONPATH": str(ROOT), **under}

    return environment


FIRST_WRITER = """
import sys
from pathlib import Path
from cluster.storage.local_store import LocalStore
from cluster.study_folder.lease import hold
from study.artifacts.address import Address
folder = Path(sys.argv[1])
with hold(folder):
    store = LocalStore(folder / "store")
    store.prepare()
    def publish(content):
        with store.staging() as staging:
            (staging / "data").write_text(content)
            return store.publish(Address("ab" * 16, 1, "weights"), staging, {})
    assert [publish("one"), publish("two")] == [True, False]
    assert store.file(Address("ab" * 16, 1, "weights"), "data").read_text() == "one"
    assert [store.create_text("judge/a", each) for each in ("one", "two")] == [True, False]
    assert store.read_text("judge/a") == "one"
    found = store.check()
    assert not (found.damages or found.leftovers), found
"""


@needs_gcc
@pytest.mark.parametrize("refuse", [pytest.param(how, id=name) for name, how in WORKS.items()])
def test_of_two_writers_the_first_wins_wherever(refusing, tmp_path: Path, refuse: str) -> None:
    command = [sys.executable, "-c", FIRST_WRITER, str(tmp_path / "s")]
    done = subprocess.run(
        command, env={**os.environ, **refusing(refuse)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@needs_gcc
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "refuse",
    [pytest.param(how, id=name, marks=pytest.mark.fault(f"storage: {name}")) for name, how in WORKS.items()],
)
def test_a_study_on_such_storage(
    refusing, space, undisturbed, fault: Fault, tmp_path: Path, refuse: str
) -> None:
    run = ("run", space(**SMALL), "--study", "s")
    for _ in range(3):
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        (ended,) = at_once([run], tmp_path, environment=refusing(refuse))
        fault.inject()
        assert ended.code == 0, ended
        fault.check(tmp_path / "s", undisturbed(**SMALL), code=0)
    for verb in (["report", "s"], ["export", "s"], ["checkpoints", "s"], ["verify", "s", "--repair"]):
        (ended,) = at_once([verb], tmp_path, environment=refusing(refuse))
        assert ended.code == 0, ended


@needs_gcc
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("refuse", "times"),
    [
        pytest.param(how, times, id=f"{name}, {times}", marks=[pytest.mark.fault(f"storage: {name}"), *marks])
        for index, (name, how) in enumerate(REFUSED.items())
        for times, marks in [(1, [pytest.mark.slow] if index else []), (2, [pytest.mark.slow])]
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_spent(
    refusing, space, fault: Fault, tmp_path: Path, refuse: str, times: int
) -> None:
    run = ("run", space(), "--study", "s")
    for _ in range(times):
        (ended,) = at_once([run], tmp_path, environment=refusing(refuse))
        fault.inject()
        assert ended.code == 3, ended
        assert "--st" in ended.output, "says what to do: another --store or --study"
        assert "Traceback" not in ended.output
        assert not list((tmp_path / "s").rglob("record.json"))


def test_no_two_names_differ_only_in_case(finished, tmp_path: Path) -> None:
    """Where letters of both cases are one, one file would replace the other."""
    study = finished(start=["unlearned", "original"], depth=[1, 2], seed=[0, 1])
    for verb in (["report", "s"], ["export", "s"], ["checkpoints", "s"]):
        code, output = call(*verb, cwd=tmp_path)
        assert code == 0, output
    names = [str(path.relative_to(study)) for path in study.rglob("*")]
    assert len({name.casefold() for name in names}) == len(names) > 50


@needs_gcc
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.fault("storage: every fsync takes 3 s")
def test_a_slow_sync(relearn, refusing, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    """On real workers: a lease is renewed all the while, and a second driver is refused."""
    first = relearn("run", space(**SMALL), "--study", "s", environment=refusing("", SLOW="3"))
    wait_for(lambda: published(tmp_path / "s"))
    code, output = relearn("resume", "s").finish()
    assert code == 4, output
    code, output = first.finish(600)
    fault.inject(3)
    assert code == 0, output
    fault.check(tmp_path / "s", undisturbed(**SMALL), code=code)


@needs_gcc
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(errno.EROFS, marks=pytest.mark.fault("storage: read-only in the middle of a study")),
        pytest.param(errno.EIO, marks=pytest.mark.fault("storage: EIO from the middle of a study on")),
        pytest.param(errno.ESTALE, marks=pytest.mark.fault("storage: ESTALE from the middle of a study on")),
    ],
)
def test_storage_that_fails_in_the_middle(
    relearn, refusing, space, undisturbed, fault: Fault, tmp_path: Path, number: int
) -> None:
    for seen in (3, 5, 7):
        when = tmp_path / "now"
        environment = refusing(f"write={number}", WHEN=str(when))
        run = relearn("run", space(**GRID), "--study", "s", environment=environment)
        wait_until_published(tmp_path / "s", seen)
        fault.before(tmp_path / "s", run)
        when.touch()
        fault.inject()
        code, output = run.finish(200)
        assert code == 3, output
        assert "Traceback" not in output
        assert "the same command" in output
        when.unlink()
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    fault.check(tmp_path / "s", undisturbed(**GRID), code=code, repeated=12)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(how, marks=pytest.mark.fault(f"the study's folder {how} while it runs"))
        for how in ("renamed", "deleted", "replaced by a link")
    ],
)
def test_a_folder_that_goes_away(relearn, space, undisturbed, fault: Fault, tmp_path: Path, how: str) -> None:
    study, aside = tmp_path / "s", tmp_path / "aside"
    (tmp_path / "other").mkdir()
    for turn in range(3):
        run = relearn("run", space(**GRID), "--study", "s")
        wait_until_published(study, 2 + 2 * turn)
        study.rename(aside)
        if how == "deleted":
            shutil.rmtree(aside)
        if how == "replaced by a link":
            study.symlink_to(tmp_path / "other")
        fault.inject()
        code, output = run.finish(120)
        assert code == 3, output
        assert "moved, deleted or replaced" in output
        assert "Traceback" not in output
        if how == "replaced by a link":
            assert not list((tmp_path / "other").rglob("study.json"))
            study.unlink()
        shutil.rmtree(study, ignore_errors=True)  # what workers wrote in their last moment
        if how != "deleted":
            aside.rename(study)
    code, output = relearn("run", space(**GRID), "--study", "s").finish()
    assert code == 0, output
    fault.check(study, undisturbed(**GRID), code=code, repeated=20)


@pytest.fixture
def few_files(root, tmp_path: Path) -> Iterator[Path]:
    """A file system that has bytes for everything, and inodes for little."""
    place = tmp_path / "s"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,nr_inodes=150", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.fault("storage: inodes used up while bytes are free")
def test_no_more_files(relearn, space, undisturbed, fault: Fault, few_files: Path) -> None:
    for _ in range(3):
        code, output = relearn("run", space(**GRID), "--study", "s").finish(120)
        fault.inject()
        assert code == 3, output
        assert "no more files" in output
        assert "Traceback" not in output
    subprocess.run(["mount", "-o", "remount,nr_inodes=100000", str(few_files)], check=True)
    code, output = relearn("resume", "s").finish()
    assert code == 0, output
    fault.check(few_files, undisturbed(**GRID), code=code, repeated=12)
