"""From a spec to a run: what is checked and written down before the driver begins, and what is said at the end."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cluster.command_line.terminal import console, duration
from cluster.driver.interruption import Interruption
from cluster.driver.outcome import Outcome
from cluster.driver.plan_summary import summarise
from cluster.driver.preflight.checks import check_plan, slow_precision
from cluster.driver.preflight.model_check import check_models
from cluster.driver.preflight.service_cost import service_cost
from cluster.driver.preflight.shortened_texts import shortened_texts
from cluster.driver.rounds import Rounds
from cluster.driver.run import run_study
from cluster.storage.open_store import is_remote
from cluster.storage.retry import storage_errors_in_words, with_retries
from cluster.storage.store import Store
from cluster.study_folder.failures import ABOUT, Cause, FailureRecords
from cluster.study_folder.kept_copy import keep_copy
from cluster.study_folder.lease import hold
from cluster.study_folder.stop_requests import stop_requests
from cluster.study_folder.study_folder import StudyFolder, store_of
from cluster.study_folder.study_plan import Validate, planning_of, recorded_spec
from cluster.study_folder.working_folder import where_begun
from study.errors import SpecError, command_line, counted
from study.performing.self_test.request import untried
from study.planning.materials import Materials, read_materials
from study.planning.proposer import Proposer
from study.spec import StudySpec


@dataclass(frozen=True)
class Request:
    """What the user gave beside the spec.

    Attributes:
        folder: the study's, new or begun.
        store: where artifacts are kept; None: as recorded, or the default of new studies.
        address: of a running Ray cluster; None: a local one.
        space, overrides: recorded, for who reads study.json.
        wait_for_nodes: the seconds for which a cluster that is not there yet is waited for.
        resumed: whether the study is gone on with as it is recorded.
    """

    folder: Path
    store: str | None
    address: str | None
    space: str
    overrides: Sequence[str]
    wait_for_nodes: float = 0.0
    resumed: bool = False


def launch(spec: StudySpec, proposer_of: Callable[[Materials], Proposer], request: Request) -> Outcome:
    """Runs a study in its folder, after its plan was checked and shown.

    Args:
        proposer_of: gives what says which points are computed, round after round.

    Raises:
        RelearnError: anything that the user can mend; before anything expensive where that can be known.
    """
    out = console()
    folder, store = request.folder, store_of(request.folder, request.store)
    remote = is_remote(store.location)

    def report_silence(error: OSError, pause: float) -> None:
        out.print(
            f"{error.filename or folder} does not answer ({error.strerror or error}); again in {pause:.0f} s."
        )

    if remote:  # before anything is written, and before the store is asked what it has
        with storage_errors_in_words(folder):
            with_retries(store.prepare, report_silence)
    materials = read_materials(spec)
    models, plan_of = planning_of(materials, folder)
    rounds = Rounds(folder, spec, proposer_of(materials), plan_of, store)
    with storage_errors_in_words(folder):
        plan = with_retries(rounds.begin, report_silence)
    demands = check_plan(plan, local=request.address is None)
    shortened = shortened_texts(plan)

    study_folder = StudyFolder(folder)
    inputs = plan.spec.the_scenario.inputs()
    with storage_errors_in_words(folder):  # before the lease as well: what is refused changes no folder
        with_retries(lambda: study_folder.growth(spec, models, inputs), report_silence)
    if request.address is None:
        begun = with_retries(store.addresses, report_silence) if study_folder.exists() else ()
        for line in check_models(plan, untried(plan, begun)):
            out.print(line)
    if request.address is None and (warning := slow_precision(plan)):
        out.print(warning)
    interruption = Interruption(folder, out)
    with (
        storage_errors_in_words(folder),
        interruption.in_words(),
        interruption.signals(),
        hold(folder, interruption.lease_lost, report_silence) as lease,
        stop_requests(folder, interruption.stop_request),
    ):
        claim = partial(
            study_folder.claim,
            lease,
            spec,
            plan,
            models=models,
            inputs=inputs,
            store=_recorded_location(store, folder),
            space=request.space,
            overrides=request.overrides,
            command=["relearn", *sys.argv[1:]],
        )
        grown = with_retries(claim, report_silence)
        if remote:
            with_retries(lambda: keep_copy(store, folder, study_folder.recorded().content), report_silence)
        else:
            with_retries(store.prepare, report_silence)
        summary = with_retries(
            lambda: summarise(plan, store, folder, request.overrides, shortened), report_silence
        )
        for line in grown:
            out.print(f"This study grows: {line}.")
        if request.resumed:
            summary.show_left()
        else:
            summary.show()
        where = (request.address, request.wait_for_nodes)
        outcome = run_study(lease, rounds, store, where, demands, out, interruption)
    out.print(
        f"{outcome.cells_recorded:,} of {counted(outcome.cells, 'cell')}; "
        f"{counted(outcome.stages_run, 'stage')} run now "
        f"({counted(outcome.train_steps, 'training step')}, {counted(outcome.evaluations, 'evaluation')}) in "
        f"{duration(outcome.wall_seconds)}."
    )
    if summary.service is not None:
        taken = service_cost(plan, with_retries(lambda: list(store.addresses()), report_silence))
        if taken is not None and (anew := taken.anew - summary.service.anew):
            out.print(f"{counted(anew, 'job')} begun again: the one before had failed or was gone.")
    if outcome.stages_failed:
        out.print(
            f"{counted(outcome.stages_failed, 'stage')} failed and {outcome.stages_unreachable} behind were "
            f"not reached; `{command_line('status', folder)}` says why."
        )
        causes = Counter(Cause(facts["cause"]) for facts in FailureRecords(folder).read().values())
        for cause, count in causes.most_common():
            out.print(f"  {count}: {ABOUT[cause].meaning}. What to do: {ABOUT[cause].remedy}.")
    if rounds.answer is not None:
        for sentence in rounds.answer.sentences:
            out.print(sentence)
    if outcome.interrupted:
        out.print(f"Interrupted. Go on with: {command_line('resume', folder)}")
    elif outcome.cells_recorded:
        out.print(f"Next: {command_line('report', folder)}")
    return outcome


def resume_study(
    folder: Path,
    store: str | None,
    address: str | None,
    wait_for_nodes: float,
    validate: Validate,
    proposer_of: Callable[[Materials], Proposer],
) -> Outcome:
    """Goes on with a study as it is recorded, also by another run at this moment: what that one added is computed too.

    Args, raises:
        As ``launch``; ``validate`` makes a spec of what is recorded.
    """
    with where_begun(folder) as there:
        while True:
            spec = recorded_spec(there, validate)
            content = StudyFolder(there).recorded().content
            words = content["space"], content["overrides"]
            request = Request(there, store, address, *words, wait_for_nodes, resumed=True)
            try:
                return launch(spec, proposer_of, request)
            except SpecError:
                if recorded_spec(there, validate) == spec:
                    raise  # otherwise the study has grown since it was read


def _recorded_location(store: Store, folder: Path) -> str:
    """Relative where the store lies in the study's folder, so that the folder may be moved."""
    location = Path(store.location)
    return str(
        location.relative_to(folder.resolve())
        if location.is_relative_to(folder.resolve())
        else store.location
    )
