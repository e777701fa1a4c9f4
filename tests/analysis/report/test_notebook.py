"""The notebook runs from its first cell to its last, in a kernel of its own, and shows what it says."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[3]


@pytest.mark.further
def test_the_notebook_runs(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(ROOT / "docs" / "analysis.ipynb", as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": ROOT / "docs"}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count("image/png") == 2
    assert kinds.count("text/html") >= 5, "tables"
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "study tofu-mini: 92 of 92 cells" in first.outputs[0]["data"]["text/plain"]
    assert [output for output in outputs if output.output_type == "error"] == []
