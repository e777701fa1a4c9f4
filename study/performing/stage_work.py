"""What a stage has to do, what it did, and whom it tells; the same whether it computes here or asks a service."""

from dataclasses import dataclass
from typing import Any, Protocol

from study.artifacts.address import Address, Store
from study.planning.stages import Stage


class Tell(Protocol):
    """Hears of what happens within a stage; an event's name and its facts."""

    def __call__(self, event: str, **facts: Any) -> None: ...


def silent(event: str, **facts: Any) -> None:
    """Nobody listens."""


@dataclass
class Work:
    """What a stage really did, for the log and the tests that count work."""

    train_steps: int = 0
    evaluations: int = 0
    weights_published: int = 0
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0


def missing_addresses(stage: Stage, store: Store) -> list[Address]:
    """What a stage has still to publish."""
    return [address for address in stage.publishes if not store.has(address)]
