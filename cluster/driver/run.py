"""Runs what a study lacks: for each round, the plan without what is published, as one Ray Tune run.

Tune schedules, the store is the truth. A grid is one round; a search goes on with what its proposer proposes next.
``Tuner.restore`` is never used (docs/DECISIONS.md says why): Tune's own folder is temporary, and a study resumes by
a new run of what the store lacks.
"""

import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, partial
from typing import Any

from rich.console import Console

from cluster.command_line.terminal import duration
from cluster.driver.interruption import Interruption
from cluster.driver.outcome import Outcome
from cluster.driver.rounds import Rounds
from cluster.driver.tune_run import TuneRun
from cluster.ray_tune.room import Demand
from cluster.ray_tune.session import gpus_of_cluster, ray_session
from cluster.storage.retry import with_retries
from cluster.storage.store import Store
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.lease import Lease
from cluster.study_folder.study_folder import StudyFolder
from study.errors import counted
from study.results.merged_cells import merge_cells
from study.settings.execution import Execution


def run_study(
    lease: Lease,
    rounds: Rounds,
    store: Store,
    where: tuple[str | None, float],
    demands: Sequence[Demand],
    console: Console,
    interruption: Interruption,
) -> Outcome:
    """Computes every stage of every round that the store lacks, and writes the rows.

    Args:
        where: the address of a running cluster, or None for a local one; and the seconds for which a cluster that is
            not there yet is waited for.
        demands: the memory that stages need, asked on each node of a cluster.

    Raises:
        StudyHeldError: another driver took this study over.
        PreflightError: no cluster, or one without the resources, or nodes that do not share the store; or the study's
            folder is gone.
        StorageFullError: a disk is full.
        ClusterLostError: the cluster went away and stayed away.
    """
    began = time.monotonic()
    outcome = _all_rounds(lease, rounds, store, where, demands, console, interruption)
    folder = StudyFolder(lease.folder)
    on_failure = EventLog(lease.folder / "log").storage_failed

    def complete() -> None:
        lease.check()
        merge_cells(lease.folder)

    with_retries(complete, on_failure)
    facts = _provenance(folder, outcome, time.monotonic() - began)
    with_retries(partial(folder.add_provenance, lease, facts), on_failure)
    return outcome


def _all_rounds(
    lease: Lease,
    rounds: Rounds,
    store: Store,
    where: tuple[str | None, float],
    demands: Sequence[Demand],
    console: Console,
    interruption: Interruption,
) -> Outcome:
    address = where[0]
    log = EventLog(lease.folder / "log")
    folder = StudyFolder(lease.folder)
    outcome: Outcome | None = None
    run: TuneRun | None = None
    plans = rounds.plans(lease)
    interruption.drain = lambda: None  # until the first Tune run
    try:
        with ExitStack() as session:
            # Once, at the first round that has something to run.
            connect = cache(lambda: _connect(session, address, interruption, rounds.spec.execution, console))
            for plan in plans:
                if interruption.requested and outcome is not None:  # between two rounds
                    break
                with_retries(partial(folder.describe, lease, plan), log.storage_failed)
                run = with_retries(
                    partial(TuneRun, lease, plan, store, console, interruption), log.storage_failed
                )
                run.go(connect, where, demands)
                outcome, run = run.outcome().after(outcome), None
                if outcome.interrupted:
                    break
    except KeyboardInterrupt:
        pass  # the reason stands in ``interruption``
    finally:
        interruption.nothing_is_left()
        interruption.main_thread_stopped()
        shutil.rmtree(lease.folder / ".tune", ignore_errors=True)
    if interruption.error is not None:
        log.write("run ended", exit_code=interruption.error.exit_code)
        raise interruption.error
    if run is not None:
        outcome = run.outcome().after(outcome)
    if outcome is None:  # interrupted before the first round was known
        raise KeyboardInterrupt
    if not (outcome.interrupted or rounds.ended):  # an interruption that came when a round was done
        next(plans, None)
        outcome = replace(outcome, interrupted=not rounds.ended)
    log.write("run ended", exit_code=outcome.exit_code, seconds=outcome.wall_seconds)
    return outcome


def _connect(
    session: ExitStack,
    address: str | None,
    interruption: Interruption,
    execution: Execution,
    console: Console,
) -> None:
    session.enter_context(ray_session(address, interruption.code_without_head))
    if not execution.asks_for_gpus and (idle := gpus_of_cluster()):
        where = "This machine has" if address is None else "The cluster has"
        console.print(
            f"{where} {idle} GPUs, and the study asks for none: its stages compute on CPUs. To use the GPUs: "
            "--set execution.gpus=1, or a share of one, such as 0.25."
        )
    interruption.handle_signals()  # again, since Ray puts in a handler of its own for SIGTERM


def _provenance(folder: StudyFolder, outcome: Outcome, seconds: float) -> dict[str, Any]:
    from study.performing.provenance import environment

    before = folder.recorded().content["provenance"]
    return {
        "runs": int(before.get("runs", 0)) + 1,
        "wall_seconds": float(before.get("wall_seconds", 0.0)) + seconds,
        "train_steps": int(before.get("train_steps", 0)) + outcome.train_steps,
        "evaluations": int(before.get("evaluations", 0)) + outcome.evaluations,
        "environment": environment(),
        "last_run": f"{counted(outcome.stages_run, 'stage')} in {duration(seconds)}",
    }
