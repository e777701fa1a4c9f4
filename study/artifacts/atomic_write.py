"""Files that appear whole or not at all, and that a power cut cannot take back.

The bytes go into a temporary file beside the final one, whose name begins with a dot, so that no reader takes it for
data; it is forced to disk before it gets its name, and then the folder, which holds that name.

A file may have a checksum beside it, in a file whose name begins with a dot: page checksums cover the values of a
Parquet file and not its statistics or its schema. Readers of rows need no checksum file; `relearn verify` does.
"""

import contextlib
import ctypes
import errno
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from study.identity import file_sha256

NO_HARD_LINKS = (
    errno.EPERM,
    errno.EACCES,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EXDEV,
    errno.EINVAL,
)
"""What file systems answer that have no hard links, or none here."""
NO_SYNC_OF_FOLDERS = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EPERM, errno.EACCES)
AT_FDCWD, RENAME_NOREPLACE = -100, 1  # of Linux


def write_file(
    path: Path,
    write: Callable[[Path], object],
    *,
    checksum: bool = False,
    replace: bool = True,
    durable: bool = True,
) -> bool:
    """Makes a file of what ``write`` puts into the temporary path that it is given; folders are made where they lack.

    Args:
        checksum: whether the file has its checksum beside it.
        replace: whether a file that is there is replaced; otherwise the first of two writers wins.
        durable: whether the call waits for the disk. Not for what is worthless after a power cut.

    Returns:
        Whether the file is this call's.

    Raises:
        OSError: the file that was there, if any, is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        write(temporary)
        if durable:
            sync(temporary)
        if not replace:
            if not name_exclusively(temporary, path):
                return False
        elif checksum:
            _replace_with_checksum(temporary, path)
        else:
            temporary.replace(path)
        if durable:
            sync(path.parent)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes, **how: bool) -> bool:
    """A file of bytes; see ``write_file`` for the rest."""
    return write_file(path, lambda temporary: temporary.write_bytes(content), **how)


def write_json(path: Path, content: Any, **how: bool) -> bool:
    """A file of JSON in UTF-8; see ``write_file`` for the rest."""
    text = json.dumps(content, ensure_ascii=False, indent=1)
    # Half of a surrogate pair, as in the name of a file that is no UTF-8, has no bytes; JSON can escape it.
    return write_bytes(path, text.encode("utf-8", "backslashreplace"), **how)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A hidden folder beside ``target`` to write into, which takes its place when the block ends without an error.

    Every byte is on the disk before that. Where the block raises or the process is killed, ``target`` is as it was; a
    killed process leaves the hidden folder behind, which nothing reads. A folder that is there is replaced with all
    that it holds; of two writers at once the later one's stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.parent / f".{target.name}.{uuid.uuid4().hex}"
    replaced = [folder.with_name(f"{folder.name}.replaced")]
    folder.mkdir()
    try:
        yield folder
        for path in (*folder.rglob("*"), folder):
            sync(path)
        while True:
            with contextlib.suppress(FileNotFoundError):
                target.rename(replaced[-1])
            try:
                folder.rename(target)
                break
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            replaced.append(
                replaced[0].with_name(f"{replaced[0].name}{len(replaced)}")
            )  # another was put there
        sync(target.parent)
    except BaseException:
        if replaced[-1].exists() and not target.exists():  # it may be the last sync that failed
            replaced[-1].rename(target)
        raise
    finally:
        for path in (folder, *replaced):
            shutil.rmtree(path, ignore_errors=True)


def name_exclusively(temporary: Path, path: Path) -> bool:
    """Gives a whole file in the same folder its name, unless a file has it: of two writers the first wins.

    By a hard link; where the file system has none (vfat, many of FUSE), by a rename that does not replace (Linux).
    The temporary name may be there afterwards or not.

    Returns:
        Whether the file has the name now.

    Raises:
        OSError: of the hard link, where the file system can do neither.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as refusal:
        if refusal.errno not in NO_HARD_LINKS:
            raise
        number = _rename_without_replacing(temporary, path)
        if number not in (0, errno.EEXIST):
            raise
        return number == 0
    return True


def _rename_without_replacing(source: Path, target: Path) -> int:
    """The number of its error, or 0."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return errno.ENOSYS
    done = rename(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), RENAME_NOREPLACE)
    return ctypes.get_errno() if done else 0


def sync(path: Path) -> None:
    """Forces a file or a folder to disk; a folder only where the file system does that (CIFS does not)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (error.errno in NO_SYNC_OF_FOLDERS and path.is_dir()):
            raise
    finally:
        os.close(handle)


def checksum_file(path: Path) -> Path:
    """Where the checksum of a file lies."""
    return path.parent / f".{path.name}.sha256"


def matches_checksum(path: Path) -> bool:
    """Whether a file is what was written."""
    beside = checksum_file(path)
    while beside.exists():
        before = beside.read_text(errors="replace")
        if file_sha256(path) in before.split():
            return True
        if beside.read_text(errors="replace") == before:
            return False  # otherwise the file was replaced between the two looks
    return False


def _replace_with_checksum(temporary: Path, path: Path) -> None:
    """At every moment the file that is there is one whose checksum is known: for that moment two are."""
    digest = file_sha256(temporary)
    beside = checksum_file(path)
    before = beside.read_text(encoding="utf-8", errors="replace") if beside.exists() else ""
    write_bytes(beside, f"{before}{digest}\n".encode())
    temporary.replace(path)
    if before:
        write_bytes(beside, f"{digest}\n".encode())
