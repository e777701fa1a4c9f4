"""The file that `relearn cluster slurm` prints, on a real Slurm: preempted, queued again, and all rows at the end."""

import os
import sys
from pathlib import Path

import pytest

from cluster.storage.open_store import open_store
from tests.commands import ROOT, call, wait_for
from tests.faults.checker import Fault
from tests.faults.conftest import GRID
from tests.stand_ins.slurm_cluster import slurm_cluster

HERE = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
    "TMPDIR": "/tmp",  # noqa: S108 - short, for Ray's sockets
}
FIELDS = {**GRID, "finetune": {"steps": 200, "optimiser": {"learning_rate": 1e-3, "batch_size": 12}}}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.fault("Slurm: a job preempted by `scontrol requeue`")
def test_a_job_is_preempted(bucket, space, undisturbed, fault: Fault, tmp_path: Path) -> None:
    location = bucket("s3")
    where = ("--store", location, "--study", "s", "--nodes", 2, "--cpus", 1)
    code, text = call("cluster", "slurm", space(**FIELDS), *where, cwd=tmp_path)
    assert code == 0, text
    script, _, _ = text.rstrip().rpartition("\n")
    (tmp_path / "job.sbatch").write_text(script)
    with slurm_cluster(tmp_path / "slurm") as slurm:
        job = slurm.ask("sbatch", "--parsable", "job.sbatch", cwd=tmp_path, **HERE).strip()

        def well_begun() -> bool:
            assert slurm.state(job) in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"), printed_by(
                tmp_path
            )
            return len(list(open_store(location).addresses())) >= 3

        wait_for(well_begun, 600)
        slurm.ask("scontrol", "requeue", job)
        fault.inject()
        wait_for(lambda: slurm.state(job) == "PENDING", 60)
        slurm.ask("scontrol", "update", f"JobId={job}", "StartTime=now")  # Slurm would wait for two minutes
        wait_for(lambda: slurm.state(job) in ("COMPLETED", "FAILED", "CANCELLED"), 600)
        assert (slurm.state(job), slurm.exit_code(job)) == ("COMPLETED", 0), printed_by(tmp_path)
    fault.check(tmp_path / "s", undisturbed(**FIELDS), code=0, repeated=2)


def printed_by(folder: Path) -> str:
    """The end of what the job printed."""
    return "".join(each.read_text() for each in folder.glob("relearn-*.log"))[-3000:]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_mistake_is_not_queued_again(tmp_path: Path, space) -> None:
    code, text = call("cluster", "slurm", space(), "--nodes", 1, "--cpus", 1, "--study", "s", cwd=tmp_path)
    assert code == 0, text
    script = text.rstrip().rpartition("\n")[0].replace("--study s", "--study s --store s5://no/such")
    (tmp_path / "job.sbatch").write_text(script)
    with slurm_cluster(tmp_path / "slurm") as slurm:
        job = slurm.ask("sbatch", "--parsable", "job.sbatch", cwd=tmp_path, **HERE).strip()
        wait_for(lambda: slurm.state(job) in ("COMPLETED", "FAILED", "CANCELLED"), 200)
        assert (slurm.state(job), slurm.exit_code(job)) == ("FAILED", 2)
