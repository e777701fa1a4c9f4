"""What a LoRA adapter adds to a model: scale · B A for each weight that it adapts, as a checkpoint keeps it.

B and A lie as the weight does: the product of B (…, rows, rank) and A (…, rank, columns) has the weight's shape, for
layers that store their weight transposed and for experts that are fused into one tensor too.

Merged, the product is summed rank by rank in float64 and rounded once into the weight. A product of two float32 is
exact in float64, so the bits are the same on every device, with any number of threads and in pieces of any size.

Weights in bfloat16 are left alone, since they would lose most of a small product: it is added to the output of their
layer instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from study.errors import IntegrityError

SCALE = "scale"
"""Names the scale within the file's metadata, in hexadecimal."""
PIECE = {"cpu": 1 << 17}
PIECE_ELSEWHERE = 1 << 24
"""Elements that are summed at once, by kind of device: on a CPU they stay in its cache."""
BASE = "base_layer"
"""What peft calls the layer within the one that it puts around it."""


@dataclass(frozen=True)
class Product:
    """An adapter's B and A by the name of the weight, float32, and the scale alpha / rank."""

    scale: float
    factors: Mapping[str, tuple[Tensor, Tensor]]

    @property
    def rank(self) -> int:
        """How many columns B has."""
        return int(next(iter(self.factors.values()))[0].shape[-1])

    @property
    def is_of_layers(self) -> bool:
        """Whether it adapts no experts that are fused into one tensor."""
        return all(b.dim() == 2 for b, _ in self.factors.values())

    def save(self, path: Path) -> None:
        """Writes ``NAME.B`` and ``NAME.A`` of each weight as safetensors."""
        tensors = {
            f"{name}.{letter}": each.detach().cpu().contiguous()
            for name, both in self.factors.items()
            for letter, each in zip("BA", both, strict=True)
        }
        save_file(tensors, path, metadata={SCALE: self.scale.hex()})

    @classmethod
    def read(cls, path: Path) -> "Product | None":
        """What ``save`` wrote; None for a file of whole weights."""
        with safe_open(path, framework="pt") as file:
            scale = (file.metadata() or {}).get(SCALE)
        if scale is None:
            return None
        tensors = {name: value.clone() for name, value in load_file(path).items()}
        names = sorted({name.rpartition(".")[0] for name in tensors})
        factors = {name: (tensors[f"{name}.B"], tensors[f"{name}.A"]) for name in names}
        return cls(float.fromhex(scale), factors)

    def merge(self, name: str, weight: Tensor) -> None:
        """Adds to a weight in place what it adds to the weight of that name; nothing where it adapts none."""
        if name not in self.factors:
            return
        b, a = (each.detach().to(weight.device).double() for each in self.factors[name])
        if weight.dim() == 2:
            _add(weight, b, a, self.scale)
            return
        for expert, its_b, its_a in zip(weight, b, a, strict=True):
            _add(expert, its_b, its_a, self.scale)


def _add(weight: Tensor, b: Tensor, a: Tensor, scale: float) -> None:
    rows = max(1, PIECE.get(weight.device.type, PIECE_ELSEWHERE) // weight.shape[1])
    for piece, factors in zip(weight.split(rows), b.split(rows), strict=True):
        total = torch.zeros(piece.shape, dtype=torch.float64, device=piece.device)
        for rank in range(a.shape[0]):
            total.addcmul_(factors[:, rank, None], a[rank])
        piece.copy_(total.mul_(scale).add_(piece))


def plain_name(name: str) -> str | None:
    """The name of a parameter in the model without an adapter; None for the adapter's own parameters."""
    if ".lora_" in name:
        return None
    return ".".join(part for part in name.split(".") if part != BASE)


class _Beside:
    """Added to a layer's output: x ↦ scale · x (B A)ᵀ, in float32 and rounded once with it."""

    def __init__(self, down: Tensor, up: Tensor, scale: float) -> None:
        self._down, self._up, self._scale = down, up, scale

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        # To where the layer computed: its weight may lie elsewhere, and what it was given come from another card.
        down, up = (each.to(output.device) for each in (self._down, self._up))
        more = linear(linear(inputs[0].to(output.device, down.dtype), down), up)
        return (output + more * self._scale).to(output.dtype)


def hang_beside(model: PreTrainedModel, product: Product) -> list[Any]:
    """Adds a product to the outputs of the layers that it adapts; the handles take it off again.

    Raises:
        ValueError: it adapts something else than the weight of a linear layer.
    """
    left = dict(product.factors)
    handles = []
    for name, layer in model.named_modules():
        weight = plain_name(f"{name}.weight")
        if weight not in left or not isinstance(layer, nn.Linear | Conv1D):
            continue
        b, a = (each.detach().to(layer.weight.device, copy=True) for each in left.pop(weight))
        down, up = (a, b) if isinstance(layer, nn.Linear) else (b.T.contiguous(), a.T.contiguous())
        handles.append(layer.register_forward_hook(_Beside(down, up, product.scale)))
    if left:
        raise ValueError(
            f"{min(left)} is no linear layer's weight: bfloat16 weights cannot have an adapter there"
        )
    return handles


def take_off(model: PreTrainedModel) -> None:
    """The model without everything that ``hang_beside`` added, also where it is a copy."""
    for layer in model.modules():
        for number, hook in list(layer._forward_hooks.items()):
            if isinstance(hook, _Beside):
                del layer._forward_hooks[number]


def refuse_other_weights(product: Product, weights: Mapping[str, Tensor]) -> None:
    """Whether an adapter belongs to a model.

    Raises:
        IntegrityError: it adapts a weight that the model does not have, or has in another shape.
    """
    for name, (b, a) in product.factors.items():
        shape = (*b.shape[:-1], a.shape[-1])
        if name not in weights or tuple(weights[name].shape) != shape:
            raise IntegrityError(
                f"an adapter of {name} {shape} does not fit the model, which has no such weight"
            )
