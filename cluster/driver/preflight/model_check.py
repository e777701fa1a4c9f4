"""The models of a plan, tried on this machine before Ray starts: each in a process of its own, for a bounded time."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import study
from study.errors import PreflightError
from study.performing.self_test.request import Request
from study.planning.plan import Plan

SECONDS = 600
"""A model that is not through by then is too large to be tried first; its stages will tell."""
CODE = (
    "import sys; sys.path.insert(0, {root!r}); from study.performing.self_test.__main__ import main; main()"
)


def check_models(plan: Plan, requests: Sequence[Request]) -> list[str]:
    """Tries each model where a stage would run.

    Returns:
        Warnings: the models that could not be tried in time.

    Raises:
        PreflightError: a model that relearn would not use as its makers do, with the setting that works.
    """
    spec = plan.spec
    kinds = {stage.kind for stage in plan.stages.values()}
    environment = dict(os.environ)
    if not any(spec.execution.resources(kind).gpus for kind in kinds):
        environment["CUDA_VISIBLE_DEVICES"] = ""
    code = CODE.format(root=str(Path(study.__path__[0]).resolve().parent))
    warnings = []
    for request in requests:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-c", code],
                input=request.as_json(),
                env=environment,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            warnings.append(
                f"model={request.source.location} could not be tried within {SECONDS // 60} minutes; its stages run "
                "untried."
            )
            continue
        if done.returncode or not done.stdout:
            words = done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"]
            raise PreflightError(
                f"model={request.source.location}: trying it failed ({words[-1]}); if memory ran out, take "
                "a smaller model"
            )
        if (refused := json.loads(done.stdout)["refused"]) is not None:
            raise PreflightError(refused)
    return warnings
