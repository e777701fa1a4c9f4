"""A tiny study whose relearning is by LoRA, and a server over it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TINY
from tests.serving.servers import Server
from tests.without_ray import run_without_ray

STUDY: dict[str, Any] = {
    **TINY,
    "start": ["unlearned", "original", "never_learned"],
    "relearn_steps": [0, 2, 4],
    "corpus": ["prefix", "gibberish"],
    "relearn": {"learning_rate": 1e-2, "batch_size": 3, "warmup_steps": 2, "lora": {"rank": 4, "alpha": 8}},
    "generation": {"max_new_tokens": 4},
}


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished study, with its weights."""
    return run_without_ray(STUDY, tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def server(attacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`relearn serve` over it, for all tests: it holds the jobs of those before."""
    made = Server(attacked, tmp_path_factory.mktemp("state") / "service")
    yield made
    made.kill()
