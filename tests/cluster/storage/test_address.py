"""``--address``: a running cluster is joined and left running; where none answers is told at once."""

from pathlib import Path

import pytest

from tests.commands import call, ray_head, rows_of


@pytest.mark.slow  # `make test` joins a cluster in tests/faults/nodes/test_nodes_lost.py
def test_a_running_cluster_is_used_and_left_running(relearn, space, undisturbed, tmp_path: Path) -> None:
    with ray_head(tmp_path / "head.log") as address:
        code, output = relearn("run", space(), "--study", "s", "--address", address).finish()
    assert code == 0, output
    assert rows_of(tmp_path / "s")["cells"].equals(undisturbed()["cells"])


def test_nobody_there(space, tmp_path: Path) -> None:
    code, output = call("run", space(), "--study", "s", "--address", "127.0.0.1:1", cwd=tmp_path)
    assert code == 3
    assert "nobody listens there" in output
    assert "Traceback" not in output
