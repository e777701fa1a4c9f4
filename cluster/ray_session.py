"""Connecting to Ray: a cluster that runs already, or a local one of our own that ends with us.

A local one is closed to whoever lacks its token, and has no dashboard.
"""

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.interruption import Interruption
from cluster.nodes import runtime_environment
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
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # paths in a spec are relative to where the user stands
}

CONNECT_SECONDS = 5


def prepare_environment(address: str | None) -> None:
    """Sets what Ray reads from the environment when it is *imported*; call it before that."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if address is None:
        # A token of this run alone, kept in no file: a file would make Ray ask it of other clusters too.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    elif os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        os.environ.setdefault("RAY_AUTH_MODE", "token")


@contextmanager
def ray_session(address: str | None, interruption: Interruption) -> Iterator[None]:
    """Ray, connected; a local cluster listens on this machine only and is gone afterwards.

    Raises:
        PreflightError: nothing answers at the address.
    """
    if address is not None:
        _refuse_silence(address)
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
                runtime_env=runtime_environment(),
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise PreflightError(
            f"--address {address}: no Ray cluster answers there ({error}); start one with `ray start "
            "--head`, or leave --address out for a local one; a cluster with a token lets in only who has it "
            "(RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or the file that `ray start` wrote on its head)"
        ) from error
    try:
        yield
    finally:
        if not interruption.head_lost:  # Ray would wait for a head that is gone, and then abort the process
            ray.shutdown()


def _refuse_silence(address: str) -> None:
    """Ray itself waits for minutes at an address where nobody listens."""
    host, colon, port = address.rpartition("/")[2].rpartition(":")
    if not colon:
        return  # `auto`, or a name that Ray resolves
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise PreflightError(
            f"--address {address}: nobody listens there ({error}); expected HOST:PORT of a Ray head, "
            "`auto`, or no --address for a local cluster"
        ) from error


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
