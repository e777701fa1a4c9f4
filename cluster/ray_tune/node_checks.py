"""Many nodes, one study: does every node see the driver's files, hold the same libraries, and have the GPUs it says?

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

from cluster.ray_tune.room import Demand, Machine, misfit, remedies
from cluster.storage.open_store import open_store
from cluster.storage.retry import with_retries
from study.errors import PreflightError
from study.settings.execution import Resources

CHECK_SECONDS = 120.0
"""A node that does not answer for so long cannot be reached; a first import of torch takes its time."""

LIBRARIES = ("ray", "torch", "transformers", "peft", "safetensors", "pyarrow", "pydantic")
"""Another version of one of these could compute other numbers, or not read what the driver sends."""

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
FORWARDED = (
    *OFFLINE,
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "STORAGE_EMULATOR_HOST",
    "AZURE_STORAGE_ACCOUNT_NAME",
)
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


def check_nodes(
    folders: Sequence[Path], needs: Sequence[Resources], demands: Sequence[Demand], store: str | None = None
) -> list[str]:
    """Checks every node of the connected cluster that could run a stage.

    Args:
        folders: that all nodes share, absolute; they exist on the driver's node.
        needs: what each kind of stage needs.
        demands: the memory of stages, where it is known; asked on each node that has the resources for them.
        store: the location of a store in a bucket, which each node has to reach with its own credentials.

    Returns:
        What differs between the nodes and forbids nothing, in words: cards and drivers.

    Raises:
        PreflightError: naming each node that does not share a folder, cannot use the store, has other libraries, too
            little memory, or a GPU that its torch cannot use.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = uuid.uuid4().hex
    ours = libraries()
    problems: list[str] = []
    too_large: list[tuple[Demand, str]] = []
    cards: dict[str, Mapping[str, Any]] = {}
    gpus = any(each.gpus for each in needs)
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
            ).remote(
                [str(folder) for folder in folders],
                token,
                node["NodeID"],
                gpus and bool(node["Resources"].get("GPU")),
                store,
            )
            for node in nodes
        }
        for node in nodes:
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            try:
                reports, theirs, memory, card, refused = ray.get(
                    answers[node["NodeID"]], timeout=CHECK_SECONDS
                )
            except Exception as error:  # Ray has a dozen kinds of them; the node is named and the words kept
                problems.append(f"{name} does not answer: {_last_line(error)}")
                continue
            problems += [
                f"{name}: {problem}"
                for check, report in zip(checks, reports, strict=True)
                if (problem := check.problem(report, node["NodeID"])) is not None
            ]
            problems += [f"{name}: {words}" for words in _other_libraries(ours, theirs)]
            if refused is not None:
                problems.append(f"{name}: {refused}")
            if isinstance(card, str):
                problems.append(f"{name} has a GPU, and {card}")
            elif card is not None:
                cards[name] = card
            has = node["Resources"]
            machine = Machine(
                int(has["CPU"]),
                memory,
                int(has.get("GPU", 0)),
                cards[name]["memory"] if name in cards else 0,
            )
            too_large += [
                (demand, f"{name}: {lacks}")
                for demand in demands
                if has["CPU"] >= demand.resources.cores and has.get("GPU", 0) >= demand.resources.gpus
                if not isinstance(card, str) and (lacks := misfit(demand, machine)) is not None
            ]
    finally:
        for check in checks:
            check.remove()
    if len({card["cuda"] for card in cards.values()}) > 1:
        problems += [f"{name}: torch is built for CUDA {card['cuda']}" for name, card in cards.items()]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise PreflightError(
            f"{len(problems)} problems with the nodes of the cluster:\n{listed}\n"
            + (
                "Every node needs the study's folder and the store under the same path, on storage that all share "
                "(--study, --store), and the libraries of the driver"
                if store is None
                else "Every node needs the libraries of the driver, and the right to read and write in the store"
            )
            + "; with execution.gpus also GPUs that torch can use, all by one build of CUDA."
        )
    if too_large:
        listed = "\n".join(f"  {words}" for _, words in too_large)
        raise PreflightError(
            f"stages do not fit on every node that they can be started on:\n{listed}\n"
            f"what helps: {remedies([demand for demand, _ in too_large])}"
        )
    return _other_cards(cards)


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
        (self._files / self._token).write_text(self._token, encoding="utf-8")

    def problem(self, report: FolderReport, node: str) -> str | None:
        if report.error is not None:
            return f"{self._folder}: {report.error}"
        if report.text != self._token:
            return f"{self._folder} there is not this machine's: it does not see what the driver writes"
        try:
            theirs = (self._files / f"{self._token}-{node}").read_text(encoding="utf-8")
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


def _other_cards(cards: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What differs in cards and drivers, which may compute other last bits; rows name the card."""
    found = []
    for what in ("card", "driver"):
        if len({card[what] for card in cards.values()}) > 1:
            each = "; ".join(f"{name}: {card[what]}" for name, card in cards.items())
            found.append(f"The nodes differ in their {what}, so rows may differ in the last bits ({each}).")
    return found


def _look(
    folders: Sequence[str], token: str, node: str, gpus: bool, store: str | None
) -> tuple[list[FolderReport], dict[str, str], int, dict[str, Any] | str | None, str | None]:
    """Runs on the node.

    Returns:
        What it found in each folder; its libraries; bytes of main memory that are free; its card, or in words why
        torch cannot use it, or None for a node whose GPUs nobody asks about; why it cannot use
        the store, or None.
    """
    reports = []
    for folder in folders:
        files = _files(Path(folder))
        if not files.is_dir():
            reports.append(FolderReport(error=None, text=""))  # no such folder, or another of that name
            continue
        try:
            (files / f"{token}-{node}").write_text(node, encoding="utf-8")
            text = (files / token).read_text(encoding="utf-8") if (files / token).exists() else ""
            reports.append(FolderReport(error=None, text=text))
        except OSError as error:
            reports.append(FolderReport(error=f"cannot be used there: {error.strerror or error}", text=None))
    import psutil

    memory = int(psutil.virtual_memory().available)
    refused = None if store is None else _refusal(store)
    return reports, libraries(), memory, _card() if gpus else None, refused


def _refusal(store: str) -> str | None:
    """Why this node cannot use a store, or None."""
    try:
        with_retries(open_store(store).prepare, lambda error, pause: None)
    except (PreflightError, OSError) as error:
        return str(error)
    return None


def _card() -> dict[str, Any] | str:
    from study.models.hardware import card, gpu_problem

    return gpu_problem() or card()


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
