"""The machinery without the computing: planning, driving, looking and loading at scale.

    python benchmarks/scaling/driver_overhead.py [STAGES]

Plans 100,100 cells; drives a study of STAGES (3,000) stages that compute nothing through Ray Tune on this
machine; asks for its status; and loads 100,000 rows of cells into pandas. Prints wall times, the time of the
driver's own process for each stage, and its memory early and late. The stages' own time is that of writing
their blank answers, and is part of the wall time.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

COMMAND = str(Path(sys.executable).parent / "relearn")
LARGE = [
    "seed=[{}]".format(",".join(map(str, range(20)))),
    "depth=[{}]".format(",".join(map(str, range(1, 26)))),
]
LARGE += [
    "relearn_steps=[{}]".format(",".join(map(str, range(25)))),
    "corpus=[prefix,retain]",
    "start=[unlearned]",
]


def sets(values: list[str]) -> list[str]:
    """As the words of a command."""
    return [word for value in values for word in ("--set", value)]


def measured(command: list[str], **options: Any) -> tuple[float, float, str]:
    """Wall seconds, peak megabytes, and output of a command."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    began, peak = time.monotonic(), 0.0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak = max(peak, watched.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    output = process.stdout.read() if process.stdout is not None else ""
    if process.wait() != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - began, peak, output


def plan() -> None:
    """100,100 cells."""
    seconds, peak, output = measured([COMMAND, "plan", "names", *sets(LARGE), "--json"])
    print(f"plan of {json.loads(output)['cells']:,} cells: {seconds:.1f} s, {peak:.0f} MB at most")


def drive(folder: Path, stages: int) -> None:
    """A study of so many stages that compute nothing."""
    seeds = max(1, stages // (1 + 1 + 1 + 10 * 2))
    values = [f"seed=[{','.join(map(str, range(seeds)))}]", "depth=[1,2,3,4,5,6,7,8,9,10]", "repetitions=[7]"]
    values += ["corpus=[prefix,retain]", "relearn_steps=[0,1]", "start=[unlearned]", "scenario.queries=2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent / "without_compute")}
    command = [COMMAND, "run", "names", "--study", str(folder), *sets(values)]
    with (folder.parent / "output.txt").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        driver = psutil.Process(process.pid)
        began, first, memory, cpu = time.monotonic(), None, [], 0.0
        while process.poll() is None:
            time.sleep(0.5)
            done = sum(1 for _ in (folder / "results" / "cells").glob("[!.]*.parquet"))
            try:
                size = driver.memory_info().rss / 1e6
                if size == 0:
                    break  # ended, and not yet waited for
                memory.append((done, size))
                cpu = sum(driver.cpu_times()[:2])
            except psutil.NoSuchProcess:
                break
            if done and first is None:
                first = (time.monotonic(), done, cpu)
        seconds = time.monotonic() - began
    if process.wait() != 0 or first is None:
        sys.exit((folder.parent / "output.txt").read_text())
    status = json.loads(measured([COMMAND, "status", str(folder), "--json"])[2])
    count = status["stages"] - first[1]
    early = next(size for done, size in memory if done >= status["stages"] // 10)
    print(
        f"driving {status['stages']:,} stages that compute nothing: {seconds:.0f} s in all; after the first, "
        f"{1000 * (time.monotonic() - first[0]) / count:.0f} ms of wall time and "
        f"{1000 * (cpu - first[2]) / count:.0f} ms of the driver's own CPU time a stage; the driver held "
        f"{early:.0f} MB after a tenth of them and {memory[-1][1]:.0f} MB at the end"
    )
    seconds, peak, _ = measured([COMMAND, "status", str(folder)], stderr=subprocess.DEVNULL)
    print(f"status of that study: {seconds:.1f} s, {peak:.0f} MB at most")


def load(folder: Path) -> None:
    """100,000 rows of cells into pandas, in a fresh process."""
    import pyarrow as pa

    from study.results.files import dataset_files, read_file, write_table
    from study.results.schema import CELLS

    files = dataset_files(folder, "cells")
    one = pa.concat_tables([read_file(path, "cells") for path in files])
    many = pa.concat_tables([one] * (100_000 // one.num_rows + 1)).slice(0, 100_000).cast(CELLS)
    target = folder.parent / "many" / "results" / "cells"
    for index in range(200):  # in files of 500 rows, about what a study writes
        write_table(many.slice(index * 500, 500), target / f"{index}.parquet")
    script = f"import pandas; print(len(pandas.read_parquet({str(target)!r})))"
    seconds, peak, output = measured([sys.executable, "-c", script])
    print(
        f"{int(output):,} rows of cells in 200 files into pandas: {seconds:.1f} s with its import, {peak:.0f} MB"
    )


def main() -> None:
    """See the module's text."""
    stages = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    with tempfile.TemporaryDirectory() as place:
        plan()
        drive(Path(place) / "study", stages)
        load(Path(place) / "study")


if __name__ == "__main__":
    main()
