"""``python -m benchmarks.gpu FOLDER``: every part on the GPU that is there, within so many minutes.

    python -m benchmarks.gpu FOLDER [--minutes 9] [--parts facts,steps,asking,bits,graphs,placements,whole,arms]
    python -m benchmarks.gpu FOLDER --small          the same in seconds on a CPU, as a test runs it
    python -m benchmarks.gpu.page FOLDER/gpu.json    docs/GPU.md from what was measured

Each part leaves its numbers in FOLDER/gpu.json at once. A part for which the time is too short is left out, and one
that fails says so; the others go on.
"""

import argparse
import gc
import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.bits import bits, graphs
from benchmarks.gpu.placements import placements
from benchmarks.gpu.setting import Setting, prepare
from benchmarks.gpu.speed import asking, facts, steps
from benchmarks.gpu.studies import arms, whole
from benchmarks.machine import described
from study.models.hardware import GPU

PARTS: dict[str, tuple[Callable[[Setting], Any], float]] = {
    "facts": (facts, 10),
    "steps": (steps, 45),
    "asking": (asking, 30),
    "bits": (bits, 60),
    "graphs": (graphs, 30),
    "placements": (placements, 60),
    "whole": (whole, 100),
    "arms": (arms, 200),
}
"""Each part, and the seconds without which it is not begun. ``arms`` comes last: it needs a Ray that starts."""


def measure(setting: Setting, parts: list[str], minutes: float) -> dict[str, Any]:
    """The numbers of each part, written after each."""
    ends = time.monotonic() + 60 * minutes
    found: dict[str, Any] = {"machine": described(), "small": setting.small, "seconds": {}}
    for name in parts:
        part, needs = PARTS[name]
        began = time.monotonic()
        if not setting.small and began + needs > ends:
            found[name] = {"left out": f"needs {needs:.0f} s"}
        else:
            try:
                found[name] = part(setting)
            except Exception as error:  # the other parts go on
                where = traceback.format_exc(limit=-4)
                found[name] = {"failed": f"{type(error).__name__}: {error}", "where": where}
        gc.collect()
        if setting.on_gpu:
            torch.cuda.empty_cache()
        found["seconds"][name] = round(time.monotonic() - began, 1)
        (setting.out / "gpu.json").write_text(json.dumps(found, indent=1, default=str))
        print(name, json.dumps(found[name], default=str)[:1500], flush=True)
    return found


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("out", type=Path, metavar="FOLDER")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(GPU if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(1)
    measure(prepare(options.out, options.small, device), options.parts.split(","), options.minutes)


if __name__ == "__main__":
    main()
