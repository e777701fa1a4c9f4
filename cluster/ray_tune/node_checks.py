"""Many nodes, one study: does every node see the driver's files, and hold the same code and libraries?

Each node writes a file that the driver reads, and reads one that the driver wrote. A store on a local disk
that happens to exist on every node under one name is found out that way before anything is computed.
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
"""A node that does not answer for so long counts as out of reach; a first import of torch takes its time."""

LIBRARIES = ("ray", "torch", "transformers", "peft", "safetensors", "pyarrow", "pydantic")
"""Of which another version could give other numbers, or not read what the driver sends."""

FORWARDED = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
"""Environment variables that mean the same on every node; none that holds a secret."""


@dataclass(frozen=True)
class Seen:
    """What a node says of one folder."""

    error: str | None
    word: str | None


def runtime_environment() -> dict[str, Any]:
    """What a worker on any node needs of this project: its code as it is here, and the switches to stay offline."""
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
    # Retried nowhere: a node that cannot answer now is named, and the user decides.
    remote = ray.remote(num_cpus=0, max_retries=0)(_look)
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    probes = [_Probe(folder, token) for folder in folders]
    try:
        for probe in probes:
            probe.write()
        asked = {
            node["NodeID"]: remote.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote([str(folder) for folder in folders], token, node["NodeID"])
            for node in nodes
        }
        for node in nodes:
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            try:
                seen, theirs = ray.get(asked[node["NodeID"]], timeout=CHECK_SECONDS)
            except Exception as error:  # Ray has a dozen kinds of them; the node is named and the words kept
                problems.append(f"{name} does not answer: {_last_line(error)}")
                continue
            problems += [
                f"{name}: {problem}"
                for probe, each in zip(probes, seen, strict=True)
                if (problem := probe.problem(each, node["NodeID"])) is not None
            ]
            problems += [f"{name}: {words}" for words in _other_libraries(ours, theirs)]
    finally:
        for probe in probes:
            probe.remove()
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


class _Probe:
    """The driver's side of one folder."""

    def __init__(self, folder: Path, token: str) -> None:
        self._folder = folder
        self._place = _place(folder)
        self._token = token

    def write(self) -> None:
        self._place.mkdir(parents=True, exist_ok=True)
        (self._place / self._token).write_text(self._token)

    def problem(self, seen: Seen, node: str) -> str | None:
        if seen.error is not None:
            return f"{self._folder}: {seen.error}"
        if seen.word != self._token:
            return f"{self._folder} there is not this machine's: what the driver writes, it does not see"
        try:
            theirs = (self._place / f"{self._token}-{node}").read_text()
        except OSError:
            theirs = ""
        if theirs != node:
            return f"{self._folder} there is not this machine's: what it writes, the driver does not see"
        return None

    def remove(self) -> None:
        for path in self._place.glob(f"{self._token}*"):
            path.unlink(missing_ok=True)
        if self._place.is_dir() and not any(self._place.iterdir()):
            self._place.rmdir()


def _look(folders: Sequence[str], token: str, node: str) -> tuple[list[Seen], dict[str, str]]:
    """Runs on the node."""
    seen = []
    for folder in folders:
        place = _place(Path(folder))
        if not place.is_dir():
            seen.append(Seen(error=None, word=""))  # no such folder, or another of that name
            continue
        try:
            (place / f"{token}-{node}").write_text(node)
            word = (place / token).read_text() if (place / token).exists() else ""
            seen.append(Seen(error=None, word=word))
        except OSError as error:
            seen.append(Seen(error=f"cannot be used there: {error.strerror or error}", word=None))
    return seen, libraries()


def _place(folder: Path) -> Path:
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
