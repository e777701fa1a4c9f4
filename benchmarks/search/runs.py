"""One run: an arm on a grid with a seed. It is written to a file at once, so that a benchmark can go on."""

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.search import attack_arms, attack_models, contour_arms
from benchmarks.search.attack_grid import AttackGrid
from benchmarks.search.contour_grid import ContourGrid
from benchmarks.search.grids import ATTACKS
from benchmarks.search.replay import Propose, replayed

SEEDS = 20
FEW = 2
"""Seeds of an arm that takes minutes."""


@dataclass(frozen=True)
class Run:
    """What one run came to.

    Attributes:
        trajectories: asked.
        share: of the true front that is covered, or of the contours that are found within one step.
        wrong: of the attacks named, the share that does not work; of the contours, the greatest error in steps.
        band: of the contours, the share that lies in its band; nothing for attacks.
        seconds: of processor time that all proposals took.
    """

    grid: str
    arm: str
    seed: int
    trajectories: int
    share: float
    wrong: float
    band: float | None
    seconds: float


Arm = tuple[Callable[[Any, int], Propose], int]
"""How it proposes, and for how many seeds it is run."""

ATTACK_ARMS: dict[str, Arm] = {
    "search: Optuna TPESampler, a trial per attack": (attack_arms.search, SEEDS),
    "random": (attack_arms.at_random, SEEDS),
    "thinner grid": (attack_arms.thinner, SEEDS),
    "Optuna QMCSampler": (attack_arms.sobol, SEEDS),
    "Optuna NSGAIISampler": (attack_arms.nsga2, SEEDS),
    "scikit-learn Gaussian process, straddle": (attack_models.scikit_learn_straddle, SEEDS),
    "Optuna TPESampler, a trial per attack and step": (attack_arms.tpe_of_steps, FEW),
    "Optuna GPSampler, success and total cost": (attack_arms.gp_of_two, FEW),
    "Optuna GPSampler, success and four costs": (attack_arms.gp_of_five, FEW),
}
CONTOUR_ARMS: dict[str, Arm] = {
    "search: scikit-learn Gaussian process, straddle": (contour_arms.search, SEEDS),
    "random": (contour_arms.at_random, SEEDS),
    "thinner grid": (contour_arms.thinner, SEEDS),
    "Optuna TPESampler": (contour_arms.tpe, SEEDS),
    "Optuna GPSampler": (contour_arms.gp, FEW),
}


def run(folder: str, arm: str, seed: int) -> Run:
    """Replays one arm on one grid."""
    grid = AttackGrid.of(folder) if folder in ATTACKS else ContourGrid.of(folder)
    make, _ = (ATTACK_ARMS if folder in ATTACKS else CONTOUR_ARMS)[arm]
    propose = make(grid, seed)
    started = time.process_time()
    history = replayed(propose, grid.curves, grid.budget)
    seconds = time.process_time() - started
    if isinstance(grid, AttackGrid):
        share, wrong = grid.covered(history)
        return Run(folder, arm, seed, len(history.asked), share, wrong, None, seconds)
    found = grid.estimate(history)
    error = np.abs(found.place - grid.truth)
    inside = (grid.truth >= found.low - 1e-9) & (grid.truth <= found.high + 1e-9)
    share, band = float(np.mean(error <= 1)), float(np.mean(inside))
    return Run(folder, arm, seed, len(history.asked), share, float(error.max()), band, seconds)


def recorded(file: Path) -> list[Run]:
    """The runs in a file; none where there is no file yet."""
    if not file.exists():
        return []
    frame = pd.read_csv(file).astype(object)
    return [Run(**row) for row in frame.where(frame.notna(), None).to_dict("records")]


def run_missing(file: Path, grids: Sequence[str], seeds: int, arms: Sequence[str] = ()) -> None:
    """Runs what the file does not hold, all grids and arms of a seed before the next seed."""
    done = {(each.grid, each.arm, each.seed) for each in recorded(file)}
    for seed in range(seeds):
        for folder in grids:
            for arm, (_, most) in (ATTACK_ARMS if folder in ATTACKS else CONTOUR_ARMS).items():
                if seed < most and (folder, arm, seed) not in done and (not arms or arm in arms):
                    _append(file, run(folder, arm, seed))


def _append(file: Path, run: Run) -> None:
    new = not file.exists()
    with file.open("a", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, [field.name for field in fields(Run)])
        if new:
            writer.writeheader()
        writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(run).items()})
