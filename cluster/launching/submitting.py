"""`relearn submit`, and what other verbs say of a study that was submitted, by its name and the cluster's address."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from cluster.ray_tune.jobs import Jobs
from cluster.storage.open_store import is_remote, open_store
from cluster.study_folder.stop_requests import request
from study.errors import SpecError
from study.spec import EMBEDDED, StudySpec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def submit(
    spec: StudySpec,
    address: str,
    *,
    study: str | None,
    store: str | None,
    wait: float,
    follow: bool,
    root: Path,
    say: Callable[[str], None],
) -> int:
    """Runs a study as a job of the cluster there; given twice, it runs once.

    Args:
        study: its folder on the cluster; None: ``studies/NAME`` of the job's own folder, which goes away with it.
        store: in a bucket, or a folder of the cluster.
        wait: the seconds for which nodes are waited for.
        follow: whether to show what the driver prints, until it ends.
        say: prints text as it is.

    Returns:
        The exit code of ``relearn run`` there where it was followed to its end, and 0 otherwise.

    Raises:
        SpecError: nothing of it would outlast the job, it names what only this machine has, or another study runs
            under its name.
        PreflightError: the jobs server does not answer, or refuses.
    """
    if store is not None:
        open_store(store)
    folder = study or f"studies/{spec.name}"
    if not is_remote(store or "") and not Path(study or "").is_absolute():
        raise SpecError(
            f"{spec.name}: nothing would be left of this study when its job ends: give --store s3://…, gs://… or "
            "az://…, or an absolute --study on storage that all nodes share"
        )
    _check_names(spec, store)
    name = _named(Path(folder))
    words = ["--address", "auto", "--wait-for-nodes", f"{wait:g}"]
    if store is not None:
        words += ["--store", store]
    jobs = Jobs(address)
    job, new = jobs.submit(folder, spec, words, root)
    say(f"{name}: {'submitted' if new else 'submitted already'} as job {job.id}, {job.in_words()}.\n")
    if not follow:
        where = f"{name} --address {address}"
        say(f"How it is: relearn status {where}; its end: relearn stop {where}, or relearn cancel.\n")
        return 0
    try:
        for text in jobs.follow(job):
            say(text)
    except KeyboardInterrupt:
        say(f"\n{name} goes on there; the same command shows it again.\n")
        return 130
    job = jobs.ended(job)
    say(f"{name}: {job.in_words()}.\n")
    return 1 if job.exit_code is None else job.exit_code


def job_status(study: Path, address: str, as_json: bool) -> str:
    """How the job of a study is."""
    job = Jobs(address).of_study(_named(study))
    if as_json:
        began = None if job.began is None else job.began.isoformat(timespec="seconds")
        facts = {"job": job.id, "status": job.status, "exit_code": job.exit_code, "began": began}
        return json.dumps(facts, indent=1)
    return f"job {job.id}: {job.in_words()}"


def end(study: Path, address: str | None, word: str) -> str:
    """Requests the end of a run: ``stop`` finishes the stages that run, ``cancel`` ends them.

    Args:
        address: of the cluster that it was submitted to; None: of its folder's driver.

    Returns:
        What became of it, in words.
    """
    if address is None:
        return request(study, word)
    name, jobs = _named(study), Jobs(address)
    if word == "stop":
        return jobs.stop(name)
    return f"job {name}: {jobs.cancel(name).in_words()}"


def _named(folder: Path) -> str:
    if NAME.fullmatch(folder.name) is None:
        raise SpecError(
            f"{folder}: a job is called by the name of the study's folder, expected letters, digits, . _ and -"
        )
    return folder.name


def _check_names(spec: StudySpec, store: str | None) -> None:
    """Refuses a name that would mean something else there: the job has a folder of its own."""
    checkpoints = () if spec.checkpoints is None else spec.checkpoints.at.values()
    models = [each for each in (*spec.model, *checkpoints) if each != EMBEDDED]
    named = [*models, *spec.the_scenario.inputs(), *([] if store is None or is_remote(store) else [store])]
    for each in named:
        if not Path(each).is_absolute() and (Path(each).exists() or each == store):
            raise SpecError(
                f"{each} is a path of this machine: give an absolute one that every node of the cluster has, or a "
                "name on the hub"
            )
