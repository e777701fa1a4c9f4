"""On which devices a model computes, and whether its layers lie there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from study.models.devices.main_memory import keep_in_main_memory
from study.models.devices.spread import spread

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Placement:
    """Where a model lies and computes.

    Attributes:
        devices: that compute; the first gets inputs and returns logits. Several: the layers are dealt to them.
        offload: whether the decoder layers lie in main memory and are copied to the device for their pass.
    """

    devices: tuple[torch.device, ...] = (CPU,)
    offload: bool = False

    @classmethod
    def on(cls, device: torch.device) -> "Placement":
        """The whole model on one device."""
        return cls((device,))

    @property
    def first(self) -> torch.device:
        """Where inputs and logits lie."""
        return self.devices[0]

    @property
    def is_spread(self) -> bool:
        """Whether several devices have the layers."""
        return len(self.devices) > 1

    @property
    def of_adapters(self) -> torch.device | None:
        """Where an adapter in training lies; None: beside the weights that it adds to."""
        return self.first if self.offload else None

    def put(self, model: PreTrainedModel) -> None:
        """Moves a model, in place.

        Raises:
            torch.OutOfMemoryError: its layers do not fit the devices together.
        """
        if self.is_spread:
            spread(model, self.devices)
        elif self.offload:
            keep_in_main_memory(model, self.first)
        else:
            torch.nn.Module.to(model, self.first)

    def facts(self) -> Mapping[str, Any]:
        """For records: how many devices have the layers of one model, and whether those lie in main memory."""
        return {"spread_over": len(self.devices), "offload": "cpu" if self.offload else "none"}
