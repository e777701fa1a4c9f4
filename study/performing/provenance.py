"""Where a number comes from: the description of a node, and of the software that computed it."""

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from study.identity import NUMERICS
from study.planning.served_nodes import Job, ServedModel, Steps
from study.planning.stages import Embedded, Node, Pretrained, characters_of_a_step
from study.settings.part import Part

PACKAGES = ("relearn", "torch", "transformers", "peft", "accelerate", "ray", "pyarrow", "numpy")

CHOSEN = "service's choice"
"""What stands for a hyperparameter that was not sent."""


def describe_node(node: Node) -> dict[str, Any]:
    """A node's whole configuration as JSON; texts by their digest, parents by their address."""
    if isinstance(node, Pretrained):
        return {
            "kind": node.kind,
            "model": node.location,
            "fingerprint": node.fingerprint,
            "attention": node.attention,
            "precision": node.precision,
        }
    if isinstance(node, Embedded):
        return {
            "kind": node.kind,
            "architecture": node.architecture.model_dump(mode="json"),
            "words": len(node.vocabulary),
            "attention": node.attention,
            "precision": node.precision,
            "seed": node.seed,
        }
    if isinstance(node, ServedModel):
        return {"kind": node.kind, **node.identity(), "base_url": node.base_url}
    if isinstance(node, Job | Steps):
        sent = node.sent.model_dump(mode="json")
        return {
            "kind": node.kind,
            "start": node.start.identity(),
            "data": node.data.digest,
            "hyperparameters": {name: CHOSEN if value is None else value for name, value in sent.items()},
            "seed": node.seed,
        }
    method = node.method
    return {
        "kind": node.kind,
        "parent": {"key": node.parent.of.key, "step": node.parent.step},
        "method": method.model_dump(mode="json") if isinstance(method, Part) else None,
        "data": node.data.digest,
        "characters": characters_of_a_step(node),
        "retain": node.retain.digest if node.retain is not None else None,
        "generic": node.generic.digest if node.generic is not None else None,
        "helper": {"key": node.helper.of.key, "step": node.helper.step} if node.helper is not None else None,
        "max_length": node.max_length,
        "optimiser": node.optimiser.model_dump(mode="json"),
        "seed": node.seed,
    }


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """Versions, the source's git revision where there is one, and the platform."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "packages": versions,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git_revision": _git_revision(),
        "numerics": NUMERICS,
    }


def _git_revision() -> str | None:
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
