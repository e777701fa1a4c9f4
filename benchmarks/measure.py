"""A command measured with every process that it starts: wall and CPU seconds, memory, disk.

The tree is looked at every quarter of a second, so a process that ends takes at most that much of its CPU time
with it uncounted. Memory is what processes have for themselves (resident less shared), added up: an upper bound of
nothing and a fair comparison, since the libraries' pages are shared alike in every arm.
"""

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_SECONDS = 0.25


@dataclass(frozen=True)
class Usage:
    """``processes`` counts every one that was seen in the tree; ``peak_bytes`` is private memory at one moment."""

    exit_code: int
    began: float
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    processes: int


def run(command: Sequence[str], output: Path, cwd: Path, environment: Mapping[str, str]) -> Usage:
    """Runs a command to its end, in a process group of its own, with its output in a file."""
    cpu: dict[tuple[int, float], float] = {}
    peak = 0
    began, started = time.time(), time.perf_counter()
    with output.open("w", encoding="utf-8") as handle:
        process = subprocess.Popen(
            command, stdout=handle, stderr=subprocess.STDOUT, cwd=cwd, env=dict(environment)
        )
        root = psutil.Process(process.pid)
        while True:
            ended = process.poll() is not None
            peak = max(peak, _look(root, cpu))
            if ended:
                break
            time.sleep(LOOK_SECONDS)
    wall = time.perf_counter() - started
    return Usage(process.returncode, began, wall, sum(cpu.values()), peak, len(cpu))


def _look(root: psutil.Process, cpu: dict[tuple[int, float], float]) -> int:
    """Notes the CPU seconds of everything alive; the private bytes now."""
    private = 0
    try:
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in tree:
        try:
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
                cpu[process.pid, process.create_time()] = times.user + times.system
                private += memory.rss - memory.shared
        except psutil.Error:
            continue  # ended between the listing and the look
    return private


def bytes_under(folder: Path) -> int:
    """What the files of a folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
