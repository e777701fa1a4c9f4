"""Connecting to Ray: a cluster that runs already, or a local one of our own that ends with us.

A local one listens on loopback only, lets in only who has its token, keeps its files where nobody else reads them, and
has no dashboard.
"""

import atexit
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.ray_tune.node_checks import runtime_environment
from cluster.storage.disk_full import free, full, is_full
from study.errors import PreflightError
from study.settings.execution import Resources

if TYPE_CHECKING:  # Ray reads the environment when it is imported, which is prepared here first
    from ray.job_config import JobConfig

LOOK_EVERY_SECONDS = 1.0
SESSION_BYTES = 50_000_000

LEFT_OUT: dict[str, str] = {}
"""Nodes of the connected cluster where no stage with a GPU is started any more: by id, with their names."""

FOLDERS: list[Path] = []
"""Where a local Ray of this process keeps its files."""


@contextmanager
def ray_session(address: str | None, code_without_head: Callable[[], int | None]) -> Iterator[None]:
    """Ray, connected; a local cluster lets in only who has its token, and is gone afterwards with its files.

    Args:
        code_without_head: the exit code with which the process ends where Ray's head is lost, asked when the block has
            ended; None where the head is there.

    Raises:
        PreflightError: nothing answers at the address.
    """
    LEFT_OUT.clear()
    try:
        import ray
    except Exception as error:  # a module of that name where one stands, a broken installation
        raise _not_started(address, error, _temporary_folder()) from error

    # Tune warns of every trial without result files, and prints a traceback for every worker that is lost; ours
    # publish to the store, and what is lost stands in our log.
    for name in ("ray.tune", "ray.air"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _silence_guesses()
    try:
        if address is None:
            # Its owner's alone: Ray opens its own folder, with its logs and sockets, to everybody.
            FOLDERS.append(_private_folder())
            ray.init(
                address="local",
                _temp_dir=str(FOLDERS[-1] / "ray"),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
                job_config=_workers_import(sys.path),
            )
        else:
            ray.init(
                address=address,
                runtime_env=runtime_environment(),
                job_config=_workers_import([]),
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
    except (PreflightError, KeyboardInterrupt):
        delete_files()
        raise
    except Exception as error:  # a node that starts too slowly is a bare Exception of Ray's
        raise _not_started(address, error, FOLDERS[-1] if address is None else _temporary_folder()) from error
    try:
        yield
    finally:
        try:
            code = code_without_head()
            if code is None:
                _shut_down()
            else:
                atexit.register(_end_at_once, code)
        finally:
            delete_files()


def _end_at_once(code: int) -> None:
    """Ends the process before Ray's own last call, which waits for the head that is lost and then aborts.

    What is left of a local Ray ends after its driver.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _shut_down() -> None:
    import ray
    from ray._private import worker

    try:
        ray.shutdown(wait_for_processes=True)
    finally:
        if worker._global_node is not None:  # a signal came within
            worker._global_node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)


def delete_files() -> None:
    """Deletes the files of a local Ray; those of a cluster that was joined are not known here."""
    while FOLDERS:
        shutil.rmtree(FOLDERS.pop(), ignore_errors=True)


class _Fixed(list[str]):
    """Where workers look for modules; Ray's own additions are refused."""

    def __bool__(self) -> bool:
        return True  # Ray replaces what counts as empty

    def extend(self, more: Iterable[str]) -> None:
        """Nothing: Ray would add the folder where the driver stands, in front of all others."""


def _workers_import(paths: Sequence[str]) -> "JobConfig":
    """Workers import from where the driver does, and not from where the user stands.

    A file ``study.py`` or a folder ``analysis`` there would hide the product's packages from every worker.

    Args:
        paths: on which workers look first, in this order; none on other machines, which have their own and the
            packages that Ray takes there.
    """
    from ray.job_config import JobConfig

    return JobConfig(
        _py_driver_sys_path=_Fixed(reversed(paths))
    )  # a worker puts each in front of those before


def _silence_guesses() -> None:
    """Keeps Ray from printing its guess at why a worker ended: the cause is known here, and stands in our words.

    Ray prints it, with colour codes even into a pipe, whatever ``log_to_driver`` says, and has no switch for it.
    """
    from ray._private import worker

    worker.print_to_stdstream = lambda *_, **__: None


def _private_folder() -> Path:
    """A new folder for a session of Ray, which no other user enters; in the one for temporary files.

    Raises:
        PreflightError: that one is full, cannot be written or has a name that Ray does not take. It would wait there.
    """
    folder = _temporary_folder()
    if not str(folder).isascii():
        raise PreflightError(
            f"the temporary folder {folder} has letters beyond ASCII in its name, and Ray keeps there what it can name "
            "in ASCII alone: name another in RAY_TMPDIR"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix="relearn-", dir=folder))
    except OSError as error:
        if is_full(error):
            raise full(folder) from error
        raise PreflightError(
            f"the temporary folder {folder} cannot be written ({error.strerror or error}), and Ray keeps what belongs "
            "to a session there: name another in RAY_TMPDIR"
        ) from error
    if shutil.disk_usage(folder).free < SESSION_BYTES:
        made.rmdir()
        raise PreflightError(
            f"the temporary folder {folder} is full ({free(folder)}), and Ray keeps what belongs to a session there, "
            f"{SESSION_BYTES:,} bytes at least: make room, or name another folder in RAY_TMPDIR"
        )
    return made


def _temporary_folder() -> Path:
    """Ray's own choice but for TMPDIR on macOS, where it is too long for the names of sockets."""
    system = "/tmp" if sys.platform == "darwin" else tempfile.gettempdir()  # noqa: S108
    return Path(os.environ.get("RAY_TMPDIR", system)).absolute()


def _not_started(address: str | None, error: Exception, folder: Path) -> PreflightError:
    if is_full(error):
        return full(folder)
    if address is None:
        return PreflightError(
            f"Ray could not be started on this machine ({type(error).__name__}: {error}); the end of the newest logs "
            f"in {folder / 'ray' / 'session_latest' / 'logs'} says more. What helps most often: more free "
            "memory and more room in /dev/shm, higher limits of open files, processes and addresses (ulimit -n, -u, "
            "-v), a short and writable folder in RAY_TMPDIR (its sockets' names may have 107 bytes), taking other RAY_ "
            "variables out of the environment, or a running cluster with --address"
        )
    return PreflightError(
        f"--address {address}: no Ray cluster answers there ({error}); start one with `ray start --head`, or leave "
        "--address out for a local one; a cluster with a token lets in only who has it (RAY_AUTH_MODE=token, and "
        "RAY_AUTH_TOKEN or the file that `ray start` wrote on its head)"
    )


def slots_of(needs: Sequence[Resources], wait: float = 0.0) -> int:
    """How many stages the connected cluster runs at once, of the kind that needs least; a stage runs on one node.

    Args:
        needs: what each kind of stage needs.
        wait: the seconds for which nodes are waited for that are not there yet.

    Raises:
        PreflightError: not even one of some kind fits anywhere.
    """
    import ray

    until = time.monotonic() + wait
    while not all(slots_alive([each]) for each in needs) and time.monotonic() < until:
        time.sleep(LOOK_EVERY_SECONDS)
    for each in needs:
        if not slots_alive([each]):
            wanted = ray_resources(each)
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            words = ", ".join(f"{name} {amount:g}" for name, amount in wanted.items())
            found = "; ".join(
                sorted({", ".join(f"{name} {node.get(name, 0.0):g}" for name in wanted) for node in nodes})
            )
            raise PreflightError(
                f"a stage needs {words} on one node, and the whole cluster has {len(nodes)} with {found}: "
                "lower execution.cpus, execution.gpus or execution.processes (or those of its kind, execution.of_kind) "
                "with --set, or join a larger cluster with --address; a cluster that still grows is waited for with "
                "--wait-for-nodes"
            )
    return slots_alive(needs)


def slots_alive(needs: Sequence[Resources]) -> int:
    """As ``slots_of``, by the nodes that are alive now, busy or not; 0 where no kind of stage fits on any."""
    import ray

    nodes = [node for node in ray.nodes() if node["Alive"]]
    return max(
        sum(
            min(
                int(node["Resources"].get(name, 0.0) / amount)
                for name, amount in ray_resources(each).items()
                if amount
            )
            for node in nodes
            if not each.gpus or node["NodeID"] not in LEFT_OUT
        )
        for each in needs
    )


def gpus_of_cluster() -> int:
    """How many GPUs the connected cluster has."""
    import ray

    return int(ray.cluster_resources().get("GPU", 0))


def ray_resources(resources: Resources) -> dict[str, float]:
    """What a stage needs, as Ray calls it."""
    return {"CPU": float(resources.cores), "GPU": float(resources.gpus)}
