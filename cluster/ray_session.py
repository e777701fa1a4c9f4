"""Connecting to Ray: a cluster that runs already, or a local one of our own that ends with us."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from study.errors import PreflightError
from study.spec import Execution

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_DEDUP_LOGS": "1",
}


@contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """Ray, connected; a local cluster listens on this machine only and is gone afterwards.

    Raises:
        PreflightError: nothing answers at the address.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    # Tune warns of every trial that has no result files; ours publish to the store instead.
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    try:
        if address is None:
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
        else:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise PreflightError(
            f"--address {address}: no Ray cluster answers there ({error}); start one with `ray start "
            "--head`, or leave --address out for a local one"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def slots(execution: Execution) -> int:
    """How many stages the connected cluster runs at once.

    Raises:
        PreflightError: not even one fits.
    """
    import ray

    there = ray.cluster_resources()
    wanted = {"CPU": float(execution.cpus), "GPU": float(execution.gpus)}
    fit = [int(there.get(name, 0.0) / amount) for name, amount in wanted.items() if amount]
    if min(fit) < 1:
        found = ", ".join(f"{name} {there.get(name, 0.0):g}" for name in wanted)
        asked = ", ".join(f"{name} {amount:g}" for name, amount in wanted.items())
        raise PreflightError(
            f"a stage asks for {asked}, and the whole cluster has {found}: lower execution.cpus or "
            "execution.gpus with --set, or join a larger cluster with --address"
        )
    return min(fit)
