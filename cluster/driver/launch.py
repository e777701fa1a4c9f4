"""From a spec to a run: what is checked and written down before the driver begins, and what is said at the end."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from cluster.driver.preflight import check_plan, slow_precision
from cluster.driver.rounds import PlanOf, Rounds
from cluster.driver.run import run_study
from cluster.driver.tune_run import Outcome
from cluster.storage.retry import in_words, persistently
from cluster.storage.store import Store
from cluster.study_folder.study_folder import StudyFolder
from cluster.terminal import duration
from study.planning.proposer import Proposer
from study.spec import StudySpec


def launch(
    spec: StudySpec,
    proposer: Proposer,
    plan_of: PlanOf,
    folder: Path,
    store: Store,
    *,
    models: Mapping[str, str],
    address: str | None,
    space: str,
    overrides: Sequence[str],
) -> Outcome:
    """Runs a study in its folder, new or begun.

    Args:
        proposer: says what is asked for, round after round.
        plan_of: the plan of the points that were asked for so far.
        models: the fingerprint of each model that the plans name; filled when they are made.
        space, overrides: what the user gave, to be recorded.

    Raises:
        RelearnError: anything that the user can mend; before anything expensive where that can be known.
    """
    console = Console(highlight=False, soft_wrap=True)
    rounds = Rounds(folder, spec, proposer, plan_of, store)
    plan = rounds.begin()
    check_plan(plan, local=address is None)
    if address is None and (warning := slow_precision(plan)):
        console.print(warning)
    study_folder = StudyFolder(folder)
    claim = partial(
        study_folder.claim,
        plan.spec,
        plan,
        models=models,
        inputs=plan.spec.the_scenario.inputs(),
        store=_recorded_location(store, folder),
        space=space,
        overrides=overrides,
        command=["relearn", *sys.argv[1:]],
    )

    def silent(error: OSError, pause: float) -> None:
        console.print(
            f"{error.filename or folder} does not answer ({error.strerror or error}); again in {pause:.0f} s."
        )

    with in_words(folder):
        grown = persistently(claim, silent)
        persistently(store.prepare, silent)
    for line in grown:
        console.print(f"This study {line}.")
    outcome = run_study(study_folder, rounds, store, address, console)
    console.print(
        f"{outcome.cells_recorded:,} of {outcome.cells:,} cells; {outcome.stages_run:,} stages run now "
        f"({outcome.train_steps:,} training steps, {outcome.evaluations:,} evaluations) in "
        f"{duration(outcome.wall_seconds)}."
    )
    if outcome.stages_failed:
        console.print(
            f"{outcome.stages_failed} stages failed and {outcome.stages_unreachable} behind them were "
            f"not reached; `relearn status {folder}` says why."
        )
    if rounds.answer is not None:
        for sentence in rounds.answer.sentences:
            console.print(sentence)
    if outcome.interrupted:
        console.print(f"Interrupted. Go on with: relearn resume {folder}")
    return outcome


def _recorded_location(store: Store, folder: Path) -> str:
    """Relative where the store lies in the study's folder, so that the folder may be moved."""
    location = Path(store.location)
    return str(
        location.relative_to(folder.resolve())
        if location.is_relative_to(folder.resolve())
        else store.location
    )
