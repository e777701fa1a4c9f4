"""The models of a plan, tried on a node of the cluster that could run their stages."""

import os
from collections.abc import Sequence
from pathlib import Path

from study.errors import PreflightError
from study.performing.self_test.request import Request
from study.settings.execution import Resources

SECONDS = 900
"""For the slowest node to load a large model; one that takes longer runs untried."""


def check_models(requests: Sequence[Request], resources: Resources, working_folder: str) -> None:
    """Tries each model, with what a stage asks for.

    Args:
        working_folder: where the driver stands: models may be named from there.

    Raises:
        PreflightError: a model that relearn would not use as its makers do, with the setting that works.
    """
    import ray

    remote = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=1)(_refusal)
    waiting = [remote.remote(request.as_json(), working_folder) for request in requests]
    done, _ = ray.wait(waiting, num_returns=len(waiting), timeout=SECONDS) if waiting else ([], [])
    for refused in ray.get(done):
        if refused is not None:
            raise PreflightError(refused)


def _refusal(request: str, working_folder: str) -> str | None:
    """Runs on the node: the message of the refusal, or None."""
    from study.performing.self_test.trial import self_test

    if Path(working_folder).is_dir():
        os.chdir(working_folder)
    try:
        self_test(Request.of_json(request))
    except PreflightError as error:
        return str(error)
    return None
