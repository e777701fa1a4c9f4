"""What a member of a gang does: holds its shards of a model, and takes the steps that rank 0 takes."""

from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh

from study.models.devices.placement import Placement
from study.models.hardware import kernels, use_threads
from study.models.resident import Resident
from study.training.gang.group import meet
from study.training.gang.orders import Order, Place
from study.training.gang.sharded import Sharded
from study.training.loop import take_steps
from study.training.training_state import Resumption


class Member:
    """Of any rank but 0."""

    def __init__(self, place: Place) -> None:
        """Builds the model, and keeps its shapes."""
        self._place = place
        self._resident = Resident(place.source, Placement.on(place.device))
        self._resident.keep_shapes()
        self._mesh: DeviceMesh | None = None

    def meet(self) -> None:
        """Joins the group; returns when all members have."""
        self._mesh = meet(self._place)

    def train(self, order: Order) -> None:
        """The steps of one trajectory. What is published and kept is rank 0's to do."""
        if self._mesh is None:
            raise TypeError("a member trains after the group has met")
        use_threads(order.threads)
        middle = None
        if order.middle is not None:
            progress, shapes = order.middle
            middle = (
                progress,
                {
                    name: torch.empty(shape, dtype=dtype, device="meta")
                    for name, (shape, dtype) in shapes.items()
                },
            )
        with kernels(self._place.device, deterministic=order.deterministic):
            trained = Sharded(
                self._resident,
                self._resident.model,
                self._mesh,
                order.trajectory,
                helper=None,
                activation_checkpointing=order.activation_checkpointing,
            )
            take_steps(
                order.trajectory,
                self._resident,
                trained,
                order.last_step,
                order.stops,
                _nothing,
                order.micro_batch,
                Resumption(order.every, _nothing, middle),
            )


def _nothing(*_: Any) -> None:
    """Where rank 0 evaluates, publishes or keeps a state."""
