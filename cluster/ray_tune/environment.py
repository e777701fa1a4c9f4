"""What Ray reads from the environment before it is imported: set here, and refused where Ray would end the process.

Deliberately absent: the connection itself, which is in ``session``.
"""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from study.errors import PreflightError

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_DEDUP_LOGS": "1",
    # Within a job of Ray: a variable that both the job and the driver give its workers would else end the driver.
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # paths in a spec are relative to where the user stands
}

LOOPBACK = "127.0.0.1"
CONNECT_SECONDS = 5
HEALTH_SECONDS = 60
LOOK_EVERY_SECONDS = 1.0


def prepare_environment(address: str | None, wait: float = 0.0, *, gpus: bool) -> None:
    """Sets what Ray reads from the environment when it is *imported*; call it before that.

    Args:
        wait: the seconds for which a head that does not listen yet is waited for.
        gpus: whether stages compute on GPUs.

    Raises:
        PreflightError: the address is none or no Ray head answers there, its token is missing, this machine does not
            reach itself, or Ray cannot be imported with what is set already.
    """
    if address is not None:
        _check_form(address, f"--address {address}")
        check_listens(address, wait)
        if address == "auto" and (theirs := os.environ.get("RAY_ADDRESS")):  # which Ray then takes
            named = f"RAY_ADDRESS={theirs} in the environment"
            _check_form(theirs, named)
            check_listens(theirs, wait, named=named)
    else:
        _check_loopback()
    _refuse_unreadable()
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if gpus:
        # Ray lets its workers yield to any other process; one that launches a GPU's work would leave the card idle.
        os.environ.setdefault("RAY_worker_niceness", "0")
    if address is None:
        # The address of a node is then loopback, and all of Ray listens on the address of its node. The name is of the
        # systems where Ray does so by itself; on others it works as well.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # That the raylet has ended is seen here. Its head would give up one that is only silent for a minute, as on a
        # machine under load or suspended, and Ray would then end this process without a word.
        os.environ.setdefault("RAY_health_check_failure_threshold", "1000")
        # Of the agents, which start with the raylet, and may not at once on a machine under load.
        os.environ.setdefault("RAY_agent_register_timeout_ms", "60000")
        # Ray would start a process for each core at once, of which Tune takes none: it gives its own an environment.
        os.environ.setdefault("RAY_enable_worker_prestart", "0")
        # A token of this run alone, kept in no file: a file would make Ray ask it of other clusters too.
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    elif address != "auto":
        _check_answers(address)


def _check_form(address: str, named: str) -> None:
    """Refuses what Ray takes as an address and the driver cannot use: another way to it, or a Ray without our settings.

    ``local`` starts one of Ray's own, without what closes ours off; a Ray Client (``ray://``) has its driver elsewhere.
    """
    if address == "auto" or ("://" not in address and ":" in address):
        return
    client = (
        "; to start from outside of the cluster take `relearn submit --address http://HEAD:8265`"
        if "://" in address
        else ""
    )
    raise PreflightError(f"{named}: expected {HEAD}{client}")


def _check_loopback() -> None:
    """Refuses a machine that does not reach itself: the parts of a local Ray would look for each other for minutes."""
    try:
        with socket.create_server((LOOPBACK, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise PreflightError(
            f"this machine does not reach itself at {LOOPBACK} ({error}), where the parts of a local Ray find each "
            "other: bring the loopback up (`ip link set lo up`) and let it pass the firewall, or join a running "
            "cluster with --address"
        ) from error


def _refuse_unreadable() -> None:
    """Refuses settings of Ray's that end whoever imports it, without a word: a number that is none, for example.

    Ray's own settings go on in small letters after RAY_. Where one is set, they are tried in another process.
    """
    named = sorted(name for name in os.environ if name.startswith("RAY_") and name[4:5].islower())
    if not named or _imports_ray(os.environ):
        return
    others = {name: value for name, value in os.environ.items() if name not in named}
    wrong = [name for name in named if not _imports_ray({**others, name: os.environ[name]})] or named
    words = ", ".join(f"{name}={os.environ[name]}" for name in wrong)
    raise PreflightError(
        f"Ray cannot be imported with {words} in the environment: expected a value of the setting's kind, as a whole "
        "number; give one, or take the variable out"
    )


def _imports_ray(environment: Mapping[str, str]) -> bool:
    """Whether a process with that environment imports Ray and lives."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import ray"], env=environment, capture_output=True, check=False
    )
    return done.returncode >= 0  # an error in words is met again, and said, where Ray is imported here


def _has_token() -> bool:
    """Whether a token for some cluster is at hand, in one of the places where Ray looks for it."""
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return bool(named) or (Path.home() / ".ray" / "auth_token").exists()
    except RuntimeError:  # no HOME, and a user whom the system does not know
        return False


def _check_answers(address: str) -> None:
    """Refuses what listens and is no Ray head, for which Ray would wait for minutes; and finds out about tokens.

    Ray does not find out by itself where an address is given, and a cluster without tokens drops a driver that has
    one, without a message. It is tried in another process, since Ray decides once a process.
    """
    given = os.environ.get("RAY_AUTH_MODE")
    answer = _health(address, given or "disabled")
    if given is None and TOKEN_WANTED in answer and _has_token():
        os.environ["RAY_AUTH_MODE"] = "token"
        answer = _health(address, "token")
    elif given is None and _has_token():
        os.environ["RAY_AUTH_MODE"] = "disabled"
    if TOKEN_WANTED in answer:
        raise PreflightError(
            f"--address {address}: the cluster lets in only who has its token: give RAY_AUTH_MODE=token and, in "
            "RAY_AUTH_TOKEN or ~/.ray/auth_token, the token that `ray start` wrote on its head"
        )
    if answer:
        raise PreflightError(
            f"--address {address}: what listens there does not answer as a Ray head ({answer}); expected {HEAD}"
        )


def _health(address: str, mode: str) -> str:
    """Nothing where a Ray head answers; else ``TOKEN_WANTED``, or the last line of what was said.

    Args:
        mode: of RAY_AUTH_MODE.
    """
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "RAY_AUTH_MODE": mode},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=HEALTH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"nothing within {HEALTH_SECONDS} s"
    said = (done.stdout + done.stderr).strip()
    if not done.returncode:
        return ""
    return TOKEN_WANTED if TOKEN_WANTED in said else said.rpartition("\n")[2][:200] or "without a word"


TOKEN_WANTED = "InvalidAuthToken"  # noqa: S105 - how Ray calls it
HEAD = "HOST:PORT of a Ray head, `auto`, or no --address for a local cluster"


def check_listens(address: str, wait: float = 0.0, expected: str = HEAD, named: str | None = None) -> None:
    """Refuses an address where nobody listens after ``wait`` seconds: Ray would wait there for minutes.

    Args:
        expected: what else there might be.
        named: how the user gave it; else with --address.
    """
    host, colon, port = address.rpartition("/")[2].rpartition(":")
    if not colon:
        return  # `auto`, or a name that Ray resolves
    until = time.monotonic() + wait
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
            return
        except (OSError, ValueError, OverflowError) as error:
            if isinstance(error, OSError) and time.monotonic() < until:
                time.sleep(LOOK_EVERY_SECONDS)
                continue
            raise PreflightError(
                f"{named or f'--address {address}'}: nobody listens there ({error}); expected {expected}"
            ) from error
