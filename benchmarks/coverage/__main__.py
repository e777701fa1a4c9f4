"""See the package's text."""

import csv
import os
import sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: many small products are slower on several threads

from benchmarks.coverage.batch import COLUMNS, batch
from benchmarks.coverage.tables import write

DOCS = Path(__file__).parents[2] / "docs"
FILE = DOCS / "performance" / "coverage.csv"
SIZES = [(s, p, d) for d in (0.5, 1.3, 2.5, 4.4) for s in (2, 3, 5, 10) for p in (20, 100)]
BATCHES, STUDIES = 8, 25
HEAD = ("seeds", "probes", "differ", "batch", "studies")


def main() -> None:
    """All sizes batch by batch, so that a run that is stopped knows all of them equally well."""
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else BATCHES
    rows = list(csv.DictReader(FILE.open())) if FILE.exists() else []
    done = {(int(row["seeds"]), int(row["probes"]), float(row["differ"]), int(row["batch"])) for row in rows}
    for number in range(batches):
        for size in SIZES:
            if (*size, number) in done:
                continue
            found = batch(*size, number, STUDIES)
            line = dict(zip(HEAD, map(str, (*size, number, STUDIES)), strict=True))
            line |= {name: f"{value:.5g}" for name, value in found.items()}
            with FILE.open("a", newline="") as file:
                writer = csv.DictWriter(file, (*HEAD, *COLUMNS))
                if not rows:
                    writer.writeheader()
                writer.writerow(line)
            rows.append(line)
            print(*size, number, flush=True)
    write(rows, DOCS / "STATISTICS.md")


if __name__ == "__main__":
    main()
