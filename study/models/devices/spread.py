"""The layers of one model dealt to several cards, by accelerate."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from accelerate import dispatch_model, infer_auto_device_map
from accelerate.utils import get_balanced_memory
from transformers import PreTrainedModel

ROOM = 1 << 60
"""Bytes of a device that says nothing of its memory."""


def spread(model: PreTrainedModel, devices: Sequence[torch.device]) -> None:
    """Moves each part of a model to its device, and lets the parts carry what they compute to each other.

    Raises:
        torch.OutOfMemoryError: the parts do not fit the devices.
    """
    room = [
        torch.cuda.get_device_properties(each).total_memory if each.type == "cuda" else ROOM
        for each in devices
    ]
    places: dict[str, Any] = {name: devices[at] for name, at in card_of_parts(model, room).items()}
    dispatch_model(
        model,
        places,
        main_device=devices[0],
        skip_keys=model._skip_keys_device_placement,  # a KV cache: each layer's part lies with the layer
        force_hooks=True,
    )


def card_of_parts(model: PreTrainedModel, card_bytes: Sequence[int]) -> Mapping[str, int]:
    """Which card gets which part of a model: part → card, in the order of the passes, as even as whole layers allow.

    Args:
        model: with or without weights; its types count.
        card_bytes: memory of each card that weights may take.

    Raises:
        torch.OutOfMemoryError: the parts do not fit.
    """
    room: dict[Any, Any] = dict(enumerate(card_bytes))
    whole = list(model._no_split_modules or [])
    even = get_balanced_memory(model, room, no_split_module_classes=whole)
    found = infer_auto_device_map(model, even, no_split_module_classes=whole)
    if beyond := [name for name, card in found.items() if card not in room]:
        least = min(card_bytes) / 2**30
        raise torch.OutOfMemoryError(
            f"the layers do not fit {len(card_bytes)} cards of {least:.1f} GiB: {beyond[0]} is the first that is left"
        )
    return {str(name): int(card) for name, card in found.items()}
