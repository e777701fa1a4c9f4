"""``python -m benchmarks.gpu_science FOLDER``: TOFU on SmolLM2-135M, as much of it as some minutes of a GPU allow.

    python -m benchmarks.gpu_science FOLDER --minutes 8 [--set KEY=VALUE …]

A study of one seed is run, then grown by a depth, a method or a seed at a time until the minutes are over: a
study that grows computes only what is missing. Bring FOLDER back, and to the next machine: it goes on. Put on record
like any study: ``python -m analysis.record docs FOLDER``.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SPACE = "search_spaces.experiments.smollm2:tofu"
EXIT_INTERRUPTED = 130
GRACE_SECONDS = 60
"""For the stages that run to end, after they were asked to."""

METHODS = ("gradient_ascent", "npo", "gradient_difference", "kl_minimisation")
DEPTHS = ((6, 9, 12), (3, 6, 9, 12, 18))
SEEDS = 5


def sizes() -> Iterator[tuple[str, ...]]:
    """The studies, each holding the one before: first more methods, then more depths, then more seeds."""
    for count in range(1, len(METHODS) + 1):
        yield _axes(METHODS[:count], DEPTHS[0], 1)
    yield _axes(METHODS, DEPTHS[1], 1)
    for seeds in range(2, SEEDS + 1):
        yield _axes(METHODS, DEPTHS[1], seeds)


def _axes(methods: tuple[str, ...], depths: tuple[int, ...], seeds: int) -> tuple[str, ...]:
    return (
        f"method=[{', '.join(methods)}]",
        f"depth={list(depths)}",
        f"seed={list(range(seeds))}",
    )


def run(folder: Path, minutes: float, settings: list[str]) -> int:
    """Runs the sizes until the time is over; the exit code of the last run that came to its end.

    Args:
        settings: ``key=value`` each, as of ``relearn run --set``, which win.
    """
    ends = time.monotonic() + 60 * minutes
    code = 0
    for axes in sizes():
        left = ends - time.monotonic()
        if left < GRACE_SECONDS:
            break
        overrides = [part for value in (*axes, *settings) for part in ("--set", value)]
        command = [sys.executable, "-m", "relearn", "run", SPACE, "--study", str(folder), *overrides]
        print(" ".join(axes), flush=True)
        process = subprocess.Popen(command)
        try:
            code = process.wait(timeout=left - GRACE_SECONDS / 2)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # as Ctrl-C: what runs is finished
            try:
                process.wait(timeout=GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                process.wait()
            return EXIT_INTERRUPTED
        if code not in (0, 1):  # 1: some cells failed, and the rest goes on
            break
    return code


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_science")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    options = parser.parse_args()
    sys.exit(run(options.folder, options.minutes, ["execution.gpus=0.25", *options.settings]))


if __name__ == "__main__":
    main()
