"""The computed grids: a spec, the trajectories that it allows, and what each of them scored.

No model runs here. ``keep`` puts the scores of a computed study into docs/NAME; the other functions read them.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from search_spaces.loading import load_space
from study.planning.proposer import Curve, Point
from study.results.files import read_dataset
from study.results.schema import COORDINATES
from study.spec import StudySpec

DOCS = Path(__file__).parents[2] / "docs"

NAMES = {"names": "seed=[0, 1, 2]", "names_held_out": "seed=[3, 4, 5]"}
"""Folder → the seeds of the model in it."""
OF_ATTACKS = ["repetitions=[7]", "depth=[8]", "corpus=[prefix, retain]"]
COARSE = "vary={learning_rate: [3e-4, 1e-3, 3e-3, 1e-2], rank: [1, 4, 16], fraction: [0.25, 0.5, 1]}"
FINE = (
    "vary={learning_rate: [2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2], rank: [1, 2, 4, 8, 16], "
    "fraction: [0.25, 0.5, 0.75, 1]}"
)
ATTACKS = {
    "attacks": ("seed=[0]", COARSE),
    "attacks_held_out": ("seed=[3, 4, 5]", COARSE),
    "attacks_fine": ("seed=[6]", FINE),
    "attacks_fine_held_out": ("seed=[7]", FINE),
}
"""Folder → the seeds of the model and the attacks in it; ``relearn run names`` with these values of ``--set``, those of
``OF_ATTACKS`` and ``start=[unlearned]`` computes it."""
UNTIL_THE_BUDGET = "search={question: frontier, tolerance: 0.001}"
FRONTIER = "search={question: frontier, tolerance: 1}"
CHEAPEST = "search={question: cheapest}"

Curves = dict[Point, Curve]


def grid_of(folder: str, spec: StudySpec, points: Iterable[Point]) -> Curves:
    """The scores of every trajectory of a computed grid."""
    rows = pq.read_table(DOCS / folder / "cells.parquet").to_pylist()
    steps = tuple(sorted(spec.relearn_steps))
    scores = {
        (
            row["start"],
            row["repetitions"],
            row["depth"],
            row["corpus"],
            row["seed"],
            row["relearn_steps"],
        ): row
        for row in rows
        if row["metric"] == spec.objective and row["split"] == "forget"
    }
    found = {}
    for point in points:
        place = (point.start, point.repetitions, point.depth, point.attack.label, point.seed)
        along = [scores[(*place, step)] for step in steps]
        found[point] = Curve(steps, tuple(float(row["value"]) for row in along), along[0]["n"])
    return found


def keep(study: Path, name: str) -> Path:
    """Puts the scores of a computed grid into docs/NAME: the cells of what is searched, under the spec's objective."""
    rows = read_dataset(study, "cells")
    metric = pc.is_in(rows["metric"], pa.array([load_space("names", [FRONTIER]).objective]))
    chosen = rows.filter(pc.and_(metric, pc.equal(rows["split"], "forget")))
    chosen = chosen.filter(pc.equal(chosen["start"], "unlearned"))
    target = DOCS / name / "cells.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(chosen.sort_by([(column, "ascending") for column in COORDINATES]), target)
    return target


def with_seed(spec: StudySpec, seed: int, budget: int | None) -> StudySpec:
    """The same search with another seed, ended after so many trajectories, or by its own rule."""
    fields = spec.model_dump(mode="json")
    fields["search"] |= {"seed": seed, "budget": {"trajectories": budget} if budget else None}
    return StudySpec.model_validate(fields)
