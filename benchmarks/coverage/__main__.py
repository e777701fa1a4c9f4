"""See the package's text."""

import csv
import os
import sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: many small products are slower on several threads

from collections.abc import Callable, Sequence

from benchmarks.coverage import batch, headline
from benchmarks.coverage.tables import write

DOCS = Path(__file__).parents[2] / "docs"
PERFORMANCE = DOCS / "performance"
SIZES = [(s, p, d) for d in (0.5, 1.3, 2.5, 4.4) for s in (2, 3, 5, 10) for p in (20, 100)]
BATCHES, STUDIES = 8, 25
HEAD = ("seeds", "probes", "differ", "batch", "studies")


def main() -> None:
    """The intervals and tests, and the verdict on the first claim."""
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else BATCHES
    of_claims = _batches(
        PERFORMANCE / "headline.csv",
        headline.batch,
        headline.COLUMNS,
        headline.SIZES,
        batches,
        headline.STUDIES,
    )
    rows = _batches(PERFORMANCE / "coverage.csv", batch.batch, batch.COLUMNS, SIZES, batches, STUDIES)
    write(rows, of_claims, DOCS / "SIMULATIONS.md")


def _batches(
    path: Path,
    batch: Callable[[int, int, float, int, int], dict[str, float]],
    columns: Sequence[str],
    sizes: Sequence[tuple[int, int, float]],
    batches: int,
    studies: int,
) -> list[dict[str, str]]:
    """All sizes batch by batch, so that a run that is stopped knows all of them equally well."""
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    done = {(int(row["seeds"]), int(row["probes"]), float(row["differ"]), int(row["batch"])) for row in rows}
    for number in range(batches):
        for size in sizes:
            if (*size, number) in done:
                continue
            found = batch(*size, number, studies)
            line = dict(zip(HEAD, map(str, (*size, number, studies)), strict=True))
            line |= {name: f"{value:.5g}" for name, value in found.items()}
            with path.open("a", newline="") as file:
                writer = csv.DictWriter(file, (*HEAD, *columns))
                if not rows:
                    writer.writeheader()
                writer.writerow(line)
            rows.append(line)
            print(*size, number, flush=True)
    return rows


if __name__ == "__main__":
    main()
