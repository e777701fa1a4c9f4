"""Replays all arms on all grids and prints the tables.

    python -m benchmarks.search [GRID…]            runs what docs/searches.csv does not hold, and prints the tables
    python -m benchmarks.search tables             the tables of what it holds
    python -m benchmarks.search keep STUDY NAME    a computed grid into docs/NAME

The seconds of the tables are of one processor.
"""

import sys
import warnings
from pathlib import Path

import optuna
from threadpoolctl import threadpool_limits

from benchmarks.search.grids import ATTACKS, DOCS, NAMES, keep
from benchmarks.search.runs import SEEDS, recorded, run_missing
from benchmarks.search.tables import tables

FILE = DOCS / "searches.csv"


def main(words: list[str]) -> None:
    """See the module's text."""
    if words[:1] == ["keep"]:
        print(keep(Path(words[1]), words[2]))
        return
    grids = [] if words == ["tables"] else words or [*NAMES, *ATTACKS]
    unknown = set(grids) - {*NAMES, *ATTACKS}
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: expected some of {', '.join((*NAMES, *ATTACKS))}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        run_missing(FILE, grids, SEEDS)
    print("\n".join(tables(recorded(FILE))))


if __name__ == "__main__":
    main(sys.argv[1:])
