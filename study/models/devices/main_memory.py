"""Decoder layers that lie in main memory: each computes with copies of its weights, which are there for its pass."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from study.models.adapters.product import plain_name
from study.models.structure import decoder_layers


def keep_in_main_memory(model: PreTrainedModel, device: torch.device) -> None:
    """Moves all else of a model to a device, on which its decoder layers compute from now on.

    Their parameters stay where they are: they are read, merged into and written as ever. A copy of the model does the
    same with its own. An adapter in training is not copied: it has to lie on the device.

    Raises:
        ValueError: no decoder layers are found.
    """
    layers = decoder_layers(model)
    if not layers:
        raise ValueError(f"{type(model).__name__} has no list of decoder layers to keep in main memory")
    theirs = {id(parameter) for layer in layers for parameter in layer.parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            if id(parameter) not in theirs:
                parameter.data = parameter.data.to(device)
        for module in model.modules():
            for name, buffer in module._buffers.items():
                if buffer is not None:  # small, so those of the layers too
                    module._buffers[name] = buffer.to(device)
    for layer in layers:
        copies = _Copies(device)
        layer.register_forward_pre_hook(copies.bring)
        layer.register_forward_hook(copies.drop, always_call=True)


class _Copies:
    """Of one layer's weights, in their places while it computes."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._own: list[tuple[nn.Module, str, nn.Parameter]] = []

    def bring(self, layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Before the pass."""
        self._own = [
            (module, name, parameter)
            for prefix, module in layer.named_modules()
            for name, parameter in module._parameters.items()
            if parameter is not None and plain_name(f"{prefix}.{name}") is not None
        ]
        for module, name, parameter in self._own:
            # Detached: what is trained here is an adapter beside it. Copied also where it lies there already: so a CPU
            # shows that nothing computes with the weights themselves.
            copied = parameter.detach().to(self._device, copy=True)
            module._parameters[name] = nn.Parameter(copied, requires_grad=False)

    def drop(self, layer: nn.Module, inputs: tuple[Any, ...], output: Tensor | tuple[Any, ...]) -> None:
        """After the pass, however it ended."""
        for module, name, parameter in self._own:
            module._parameters[name] = parameter
        self._own = []
