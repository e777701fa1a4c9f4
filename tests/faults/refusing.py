"""The library in C (refusing.c) that lets system calls on a folder fail as on storage that is no local disk."""

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path


@cache
def library() -> Path | None:
    """Built once a process; None where it cannot be. Preloaded, it does nothing until the environment says what."""
    if shutil.which("gcc") is None or not sys.platform.startswith("linux"):
        return None
    built = Path(tempfile.mkdtemp(prefix="refusing-")) / "refusing.so"
    source = Path(__file__).with_name("refusing.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built
