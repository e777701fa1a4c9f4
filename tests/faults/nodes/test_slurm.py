"""The file that `relearn cluster slurm` prints, on a real Slurm."""

import os
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT, call, wait_for
from tests.stand_ins.slurm_cluster import slurm_cluster

HERE = {
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "PYTHONPATH": str(ROOT),
    "TMPDIR": "/tmp",  # noqa: S108 - short, for Ray's sockets
}


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
