"""A LoRA adapter (Hu et al. 2022) while a trajectory trains it. peft trains; what a checkpoint is, ``product`` says.

While a checkpoint is evaluated peft's layers are switched off, and the adapter's product is added as it is when the
checkpoint is loaded later. So a checkpoint's numbers do not depend on whether it was evaluated on the way.
"""

import warnings
from contextlib import AbstractContextManager
from typing import Any

import torch
from transformers import PreTrainedModel

from study.models.adapters.product import BASE, Product, plain_name
from study.settings.optimiser import LoRA

ADAPTER = "default"


class Adapter:
    """Attached to a model in place, until ``remove``."""

    def __init__(
        self, model: PreTrainedModel, lora: LoRA, seed: int, device: torch.device | None = None
    ) -> None:
        """Attaches it.

        Args:
            seed: draws A; B starts at zero.
            device: where A and B lie; None: each beside the weight that it adds to.
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
            # peft reads it under its old name, of which transformers tells whoever runs a study.
            warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated")
            self._wrapped = get_peft_model(model, config)
        if not isinstance(self._wrapped, PeftModel):
            raise TypeError("peft returned no PeftModel")
        self._model = model
        self._scale = lora.alpha / lora.rank
        self._layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
        if device is not None:
            for name, parameter in model.named_parameters():
                if plain_name(name) is None:
                    parameter.data = parameter.data.to(device)

    def switched_off(self) -> AbstractContextManager[None]:
        """In the block the model computes as if it had no adapter."""
        off: AbstractContextManager[None] = self._wrapped.disable_adapter()
        return off

    def product(self) -> Product:
        """What the adapter adds now; tensors of its own."""
        names = {id(parameter): plain_name(name) for name, parameter in self._model.named_parameters()}
        factors = {}
        for layer in self._layers:
            weight = _base_weight(layer)
            factors[names[id(weight)] or ""] = _factors(layer, weight)
        return Product(self._scale, factors)

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

    def remove(self) -> None:
        """The model as it was before the adapter, every weight trainable again; the adapter's product is dropped."""
        self._wrapped.unload()
        self._model.requires_grad_(requires_grad=True)


def _base_weight(layer: Any) -> torch.Tensor:
    """The weight that an adapted layer adds to: a linear layer's, or one tensor of several fused experts."""
    weight: torch.Tensor = getattr(layer.get_base_layer(), getattr(layer, "parameter_name", "weight"))
    return weight


def _factors(layer: Any, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """B and A of a layer, turned as its weight lies: (…, rows, rank) and (…, rank, columns), float32."""
    b, a = (each[ADAPTER].weight.detach().float() for each in (layer.lora_B, layer.lora_A))
    if weight.dim() == 3:
        # peft keeps the experts of a fused tensor in one A, expert by expert, and in one B, rank by rank.
        experts = weight.shape[0]
        a, b = a.reshape(experts, -1, a.shape[-1]), b.reshape(b.shape[0], -1, experts).permute(2, 0, 1)
        transposed = not layer._did_swap_in_out_features
    else:
        transposed = bool(getattr(layer, "fan_in_fan_out", False))
    if transposed:
        b, a = a.transpose(-1, -2), b.transpose(-1, -2)
    return b.clone(memory_format=torch.contiguous_format), a.clone(memory_format=torch.contiguous_format)
