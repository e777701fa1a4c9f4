"""A real Slurm on this machine: Debian's slurmctld, two slurmd and munged, each with its files in one folder."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.stand_ins.object_servers import free_port

CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2
MpiDefault=none
ReturnToService=2
KillWait=5
SlurmdParameters=config_overrides
NodeName=n0 NodeHostname={host} NodeAddr=127.0.0.1 Port={first} CPUs=1 State=UNKNOWN
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={second} CPUs=1 State=UNKNOWN
PartitionName=all Nodes=n0,n1 Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """Its commands."""

    def __init__(self, configuration: Path) -> None:
        self._environment = {**os.environ, "SLURM_CONF": str(configuration)}

    def ask(self, *words: str, cwd: Path | None = None, **environment: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**self._environment, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def state(self, job: str) -> str:
        """RUNNING, PENDING, COMPLETED, FAILED …"""
        facts = self.ask("scontrol", "show", "job", "--oneliner", job)
        return dict(word.partition("=")[::2] for word in facts.split())["JobState"]

    def exit_code(self, job: str) -> int:
        """Of its batch script."""
        facts = self.ask("scontrol", "show", "job", "--oneliner", job)
        return int(dict(word.partition("=")[::2] for word in facts.split())["ExitCode"].partition(":")[0])


@contextmanager
def slurm_cluster(folder: Path) -> Iterator[Slurm]:
    """Two nodes of one core; skipped where Slurm is not installed."""
    missing = [name for name in ("slurmctld", "slurmd", "munged") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and Debian's slurm-wlm and munge: {', '.join(missing) or 'no root'}")
    for name in ("munge", "state"):
        (folder / name).mkdir(mode=0o700, parents=True)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(64))
    key.chmod(0o600)
    configuration = folder / "slurm.conf"
    ports = {"port": free_port(), "first": free_port(), "second": free_port()}
    host = socket.gethostname().partition(".")[0]
    configuration.write_text(CONFIGURATION.format(folder=folder, host=host, **ports))
    munge = [f"--{name}={folder}/munge/{file}" for name, file in MUNGE_FILES.items()]
    commands = [
        ["munged", "--force", "--foreground", *munge],
        ["slurmctld", "-D", "-f", str(configuration)],
        *(["slurmd", "-D", "-N", name, "-f", str(configuration)] for name in ("n0", "n1")),
    ]
    found = Slurm(configuration)
    with ExitStack() as stack:
        for number, command in enumerate(commands):
            log = stack.enter_context((folder / f"{number}.log").open("wb"))
            environment = {**os.environ, "SLURM_CONF": str(configuration)}
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
            time.sleep(1)
        until = time.monotonic() + 60
        while "2 " not in found.ask("sinfo", "--noheader", "--states=idle", "--format=%D "):
            assert time.monotonic() < until, "no node of Slurm came up"
            time.sleep(1)
        yield found


MUNGE_FILES = {
    "socket": "socket",
    "key-file": "key",
    "pid-file": "pid",
    "log-file": "log",
    "seed-file": "seed",
}
