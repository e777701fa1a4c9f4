"""A storage that takes every writer for the first is refused: by its own words nobody would know."""

from pathlib import Path

import gcsfs
import pytest

from cluster.storage.open_store import open_store
from study.errors import PreflightError
from tests.commands import call
from tests.stand_ins.object_servers import gcp_emulator


@pytest.mark.slow
@pytest.mark.usefixtures("node")
def test_an_emulator_that_ignores_conditions_is_refused(
    space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "emulator").mkdir()
    with gcp_emulator(tmp_path / "emulator") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        gcsfs.GCSFileSystem.clear_instance_cache()  # one of another server has its address
        try:
            server.files().mkdir("relearn-tests")
            store = open_store("gs://relearn-tests/studies")
            with pytest.raises(PreflightError, match="ignores the condition"):
                store.prepare()
            words = ("run", space(), "--study", "s", "--store", store.location)
            code, output = call(*words, cwd=tmp_path)
        finally:
            gcsfs.GCSFileSystem.clear_instance_cache()
    assert (code, "ignores the condition" in output, "Traceback" in output) == (3, True, False), output
    assert not (tmp_path / "s").exists()
