"""Runs what a study lacks: for each round, the plan without what is published, as one Ray Tune run.

Tune schedules, the store is the truth. A grid is one round; a search goes on with what its proposer proposes next.
``Tuner.restore`` is never used (docs/DECISIONS.md says why): Tune's own folder is temporary, and a study resumes by
a new run of what the store lacks.
"""

import shutil
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, partial
from typing import Any

from rich.console import Console

from cluster.driver.interruption import Interruption
from cluster.driver.outcome import Outcome
from cluster.driver.rounds import Rounds
from cluster.driver.tune_run import TuneRun
from cluster.ray_tune.session import ray_session
from cluster.storage.retry import storage_errors_in_words, with_retries
from cluster.storage.store import Store
from cluster.study_folder.event_log import EventLog
from cluster.study_folder.lease import hold
from cluster.study_folder.stop_requests import stop_requests
from cluster.study_folder.study_folder import StudyFolder
from cluster.terminal import duration
from study.results.merged_cells import merge_cells


def run_study(
    folder: StudyFolder, rounds: Rounds, store: Store, address: str | None, console: Console
) -> Outcome:
    """Computes every stage of every round that the store lacks, and writes the rows.

    Raises:
        StudyHeldError: another driver runs this study, or took it over.
        PreflightError: no cluster, or one without the resources, or nodes that do not share the store.
        StorageFullError: a disk is full.
        ClusterLostError: the cluster went away and stayed away.
    """
    interruption = Interruption(folder.folder, console)
    with (
        hold(folder.folder, interruption.taken_over),
        stop_requests(folder.folder, interruption.stop_request),
        interruption.signals(),
        storage_errors_in_words(folder.folder),
    ):
        began = time.monotonic()
        outcome = _all_rounds(folder, rounds, store, address, console, interruption)
        on_failure = EventLog(folder.folder / "log").storage_failed
        with_retries(partial(merge_cells, folder.folder), on_failure)
        facts = _provenance(folder, outcome, time.monotonic() - began)
        with_retries(partial(folder.add_provenance, facts), on_failure)
        return outcome


def _all_rounds(
    folder: StudyFolder,
    rounds: Rounds,
    store: Store,
    address: str | None,
    console: Console,
    interruption: Interruption,
) -> Outcome:
    log = EventLog(folder.folder / "log")
    outcome: Outcome | None = None
    run: TuneRun | None = None
    try:
        with ExitStack() as session:
            # Once, at the first round that has something to run.
            connect = cache(lambda: _connect(session, address, interruption))
            for plan in rounds.plans():
                with_retries(partial(folder.describe, plan), log.storage_failed)
                run = with_retries(
                    partial(TuneRun, folder, plan, store, console, interruption), log.storage_failed
                )
                run.go(connect, address)
                outcome, run = run.outcome().after(outcome), None
                if outcome.interrupted:
                    break
    except KeyboardInterrupt:
        pass  # the reason stands in ``interruption``
    finally:
        interruption.main_thread_stopped()
        shutil.rmtree(folder.folder / ".tune", ignore_errors=True)
    if interruption.error is not None:
        log.write("run ended", exit_code=interruption.error.exit_code)
        raise interruption.error
    if run is not None:
        outcome = run.outcome().after(outcome)
    if outcome is None:  # interrupted before the first round was known
        raise KeyboardInterrupt
    if interruption.requested:  # perhaps between two rounds
        outcome = replace(outcome, interrupted=True)
    log.write("run ended", exit_code=outcome.exit_code, seconds=outcome.wall_seconds)
    return outcome


def _connect(session: ExitStack, address: str | None, interruption: Interruption) -> None:
    session.enter_context(ray_session(address, lambda: interruption.head_lost))
    # The signals again, since Ray puts in a SIGTERM of its own.
    session.enter_context(interruption.signals())


def _provenance(folder: StudyFolder, outcome: Outcome, seconds: float) -> dict[str, Any]:
    from study.provenance import environment

    before = folder.recorded().content["provenance"]
    return {
        "runs": int(before.get("runs", 0)) + 1,
        "wall_seconds": float(before.get("wall_seconds", 0.0)) + seconds,
        "train_steps": int(before.get("train_steps", 0)) + outcome.train_steps,
        "evaluations": int(before.get("evaluations", 0)) + outcome.evaluations,
        "environment": environment(),
        "last_run": f"{outcome.stages_run} stages in {duration(seconds)}",
    }
