"""A LoRA adapter (Hu et al. 2022) while a trajectory trains it, and the plain model that it makes at a checkpoint.

A checkpoint is always a plain model: W + (alpha / rank) B A is written into the weights for as long as the checkpoint
is evaluated or saved, and the trajectory then continues with the bits it had. So a checkpoint's numbers
do not depend on whether it was evaluated on the way or loaded later.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from study.settings.optimiser import LoRA

ADAPTER = "default"
BASE = "base_layer"
"""What peft calls the layer within the one that it puts around it."""


def plain_name(name: str) -> str | None:
    """The name of a parameter in the model without an adapter; None for the adapter's own parameters."""
    if ".lora_" in name:
        return None
    return ".".join(part for part in name.split(".") if part != BASE)


class Adapter:
    """Attached to a model in place, until ``remove``."""

    def __init__(self, model: PreTrainedModel, lora: LoRA, seed: int) -> None:
        """Attaches it.

        Args:
            seed: draws A; B starts at zero.
        """
        from peft import (  # seconds to import, and many studies train all weights
            LoraConfig,
            PeftModel,
            get_peft_model,
        )
        from peft.tuners.lora import LoraLayer

        torch.manual_seed(seed)
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            target_modules=lora.targets if isinstance(lora.targets, str) else list(lora.targets),
            lora_dropout=lora.dropout,
            bias="none",
            task_type="CAUSAL_LM",
        )
        with warnings.catch_warnings():
            # peft finds out itself which layers store their weight transposed (GPT-2's) and which experts are fused.
            warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
            warnings.filterwarnings("ignore", message="The following (rank|alpha)_pattern keys")
            self._wrapped = get_peft_model(model, config)
        if not isinstance(self._wrapped, PeftModel):
            raise TypeError("peft returned no PeftModel")
        self._model = model
        self._layers = [module for module in model.modules() if isinstance(module, LoraLayer)]

    @contextmanager
    def merged(self) -> Iterator[None]:
        """In the block the model is plain and its weights hold the product; afterwards it is as before, to the bit."""
        before = []
        with torch.no_grad():
            for layer in self._layers:
                weight = _base_weight(layer)
                before.append(weight.detach().clone())
                weight.add_(_product(layer).to(weight.dtype))
        try:
            with self._wrapped.disable_adapter():
                yield
        finally:
            with torch.no_grad():
                for layer, kept in zip(self._layers, before, strict=True):
                    _base_weight(layer).copy_(kept)

    def targets(self) -> set[str]:
        """The last parts of the names of the adapted layers."""
        from peft.tuners.lora import LoraLayer

        named = self._model.named_modules()
        return {name.rpartition(".")[2] for name, module in named if isinstance(module, LoraLayer)} - {BASE}

    def shared(self) -> list[str]:
        """Names of the adapted weights that other layers of the model have too."""
        adapted = {id(_base_weight(layer)) for layer in self._layers}
        places: dict[int, list[str]] = {}
        for name, parameter in self._model.named_parameters(remove_duplicate=False):
            places.setdefault(id(parameter), []).append(plain_name(name) or name)
        several = (
            names for parameter, names in places.items() if parameter in adapted and len(set(names)) > 1
        )
        twice = len(adapted) < len(self._layers)
        return sorted(names[0] for names in several) or (["several layers"] if twice else [])

    def merge(self) -> None:
        """The end: the weights hold the product for good, as in ``merged``, and the adapter is gone."""
        with torch.no_grad():
            for layer in self._layers:
                weight = _base_weight(layer)
                weight.add_(_product(layer).to(weight.dtype))
        self.remove()

    def remove(self) -> None:
        """The model as it was before the adapter, every weight trainable again; the adapter's product is dropped."""
        self._wrapped.unload()
        self._model.requires_grad_(requires_grad=True)


def _base_weight(layer: Any) -> torch.Tensor:
    """The weight that an adapted layer adds to: a linear layer's, or one tensor of several fused experts."""
    weight: torch.Tensor = getattr(layer.get_base_layer(), getattr(layer, "parameter_name", "weight"))
    return weight


def _product(layer: Any) -> torch.Tensor:
    product: torch.Tensor = layer.get_delta_weight(ADAPTER)
    return product
