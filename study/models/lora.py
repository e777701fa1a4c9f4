"""A LoRA adapter (Hu et al. 2022) while a trajectory trains it, and the plain model that it makes at a checkpoint.

A checkpoint is always a plain model: W + (alpha / rank) B A is written into the weights for as long as the checkpoint
is evaluated or saved, and the trajectory then continues with the bits it had. So a checkpoint's numbers
do not depend on whether it was evaluated on the way or loaded later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from study.settings.optimiser import LoRA

ADAPTER = "default"


def plain_name(name: str) -> str | None:
    """The name of a parameter in the model without an adapter; None for the adapter's own parameters."""
    if ".lora_" in name:
        return None
    return name.replace(".base_layer.", ".")


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

    def remove(self) -> None:
        """The model as it was before the adapter, every weight trainable again; the adapter's product is dropped."""
        self._wrapped.unload()
        self._model.requires_grad_(requires_grad=True)


def _base_weight(layer: Any) -> torch.Tensor:
    weight: torch.Tensor = layer.get_base_layer().weight
    return weight


def _product(layer: Any) -> torch.Tensor:
    product: torch.Tensor = layer.get_delta_weight(ADAPTER)
    return product
