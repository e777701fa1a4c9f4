"""Many nodes, one study: does every node see the driver's files, and hold the same code and libraries?

Each node writes a file that the driver reads, and reads one that the driver wrote. So a store on a local disk that
happens to exist on every node under one name is refused before anything is computed.
"""

import os
import platform
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from study.errors import PreflightError

CHECK_SECONDS = 120.0
"""A node that does not answer for so long cannot be reached; a first import of torch takes its time."""

LIBRARIES = ("ray", "torch", "transformers", "peft", "safetensors", "pyarrow", "pydantic")
"""Another version of one of these could compute other numbers, or not read what the driver sends."""

FORWARDED = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
"""Environment variables that mean the same on every node; none that holds a secret."""


@dataclass(frozen=True)
class FolderReport:
    """What a node found in one folder: an error, or the text in the driver's file ("" where there is none)."""

    error: str | None
    text: str | None


def runtime_environment() -> dict[str, Any]:
    """What a worker on any node needs of this project: its code, and the variables that keep it offline."""
    import cluster
    import study

    rooms = [str(Path(room.__path__[0]).resolve()) for room in (study, cluster)]
    switches = {name: os.environ[name] for name in FORWARDED if name in os.environ}
    return {"py_modules": rooms, "env_vars": switches}


def check_nodes(folders: Sequence[Path]) -> None:
    """Checks every node of the connected cluster that could run a stage.

    Args:
        folders: the study's and the store's, absolute; they exist on the driver's node.

    Raises:
        PreflightError: naming each node that does not share a folder, or has other libraries.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = uuid.uuid4().hex
    ours = libraries()
    problems: list[str] = []
    # Not tried again: a node that cannot answer now is named, and the user decides.
    remote = ray.remote(num_cpus=0, max_retries=0)(_look)
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    checks = [_FolderCheck(folder, token) for folder in folders]
    try:
        for check in checks:
            check.write()
        answers = {
            node["NodeID"]: remote.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote([str(folder) for folder in folders], token, node["NodeID"])
            for node in nodes
        }
        for node in nodes:
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            try:
                reports, theirs = ray.get(answers[node["NodeID"]], timeout=CHECK_SECONDS)
            except Exception as error:  # Ray has a dozen kinds of them; the node is named and the words kept
                problems.append(f"{name} does not answer: {_last_line(error)}")
                continue
            problems += [
                f"{name}: {problem}"
                for check, report in zip(checks, reports, strict=True)
                if (problem := check.problem(report, node["NodeID"])) is not None
            ]
            problems += [f"{name}: {words}" for words in _other_libraries(ours, theirs)]
    finally:
        for check in checks:
            check.remove()
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise PreflightError(
            f"{len(problems)} problems with the nodes of the cluster:\n{listed}\n"
            "Every node needs the study's folder and the store under the same path, on storage that all "
            "share (--study, --store), and the libraries of the driver."
        )


def libraries() -> dict[str, str]:
    """Python and the libraries that bear on the numbers; "missing" where one is not installed."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


class _FolderCheck:
    """The driver's side of one folder."""

    def __init__(self, folder: Path, token: str) -> None:
        self._folder = folder
        self._files = _files(folder)
        self._token = token

    def write(self) -> None:
        self._files.mkdir(parents=True, exist_ok=True)
        (self._files / self._token).write_text(self._token)

    def problem(self, report: FolderReport, node: str) -> str | None:
        if report.error is not None:
            return f"{self._folder}: {report.error}"
        if report.text != self._token:
            return f"{self._folder} there is not this machine's: it does not see what the driver writes"
        try:
            theirs = (self._files / f"{self._token}-{node}").read_text()
        except OSError:
            theirs = ""
        if theirs != node:
            return f"{self._folder} there is not this machine's: the driver does not see what it writes"
        return None

    def remove(self) -> None:
        for path in self._files.glob(f"{self._token}*"):
            path.unlink(missing_ok=True)
        if self._files.is_dir() and not any(self._files.iterdir()):
            self._files.rmdir()


def _look(folders: Sequence[str], token: str, node: str) -> tuple[list[FolderReport], dict[str, str]]:
    """Runs on the node."""
    reports = []
    for folder in folders:
        files = _files(Path(folder))
        if not files.is_dir():
            reports.append(FolderReport(error=None, text=""))  # no such folder, or another of that name
            continue
        try:
            (files / f"{token}-{node}").write_text(node)
            text = (files / token).read_text() if (files / token).exists() else ""
            reports.append(FolderReport(error=None, text=text))
        except OSError as error:
            reports.append(FolderReport(error=f"cannot be used there: {error.strerror or error}", text=None))
    return reports, libraries()


def _files(folder: Path) -> Path:
    """Where the files of the check lie, while it runs."""
    return folder / ".nodes"


def _other_libraries(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    return [
        f"{name} {theirs[name]}, here {ours[name]}"
        for name in ours
        if theirs[name].partition("+")[0] != ours[name].partition("+")[0]  # +cpu, +cu128: one version
    ]


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else type(error).__name__
