"""What rank 0 tells the other members of a gang, and what they answer: plain data and descriptions of the study."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from study.models.tokenizer import Source
from study.planning.stages import Trajectory
from study.training.training_state import Progress

MEMBER = "study.training.gang"
"""The module that a member runs."""


@dataclass(frozen=True)
class Place:
    """Of one member, from its birth on.

    Attributes:
        source: the model that all trajectories of this gang begin with.
        rank, size: which process it is, of how many.
        on_gpu: whether it computes on the GPU of its rank, else on the CPU.
        folder: where the processes of the gang find each other; nobody else may read it.
    """

    source: Source
    rank: int
    size: int
    on_gpu: bool
    folder: str

    @property
    def device(self) -> torch.device:
        """What it computes on."""
        return torch.device("cuda", self.rank) if self.on_gpu else torch.device("cpu")


@dataclass(frozen=True)
class Order:
    """A trajectory to be trained, in step with rank 0.

    Attributes:
        threads: of a process.
        middle: how far the state has come that rank 0 deals out, and which tensors it has: name → shape and dtype.
    """

    trajectory: Trajectory
    last_step: int
    stops: frozenset[int]
    micro_batch: int
    activation_checkpointing: bool
    deterministic: bool
    threads: int
    every: int | None
    middle: tuple[Progress, Mapping[str, tuple[tuple[int, ...], torch.dtype]]] | None


@dataclass(frozen=True)
class Ready:
    """A member has its model, and waits for the first meeting or the next order."""


@dataclass(frozen=True)
class Ended:
    """A member could not go on: the type of its error, and its words."""

    kind: str
    words: str

    @classmethod
    def by(cls, error: BaseException) -> "Ended":
        """From what a member raised."""
        return cls(type(error).__name__, str(error))
