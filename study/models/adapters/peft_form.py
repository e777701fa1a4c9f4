"""A chain of adapters on a published model as one PEFT adapter folder, which PEFT, vLLM and relearn read.

The ranks of all links stand one after the other, so the product is the chain's. Whoever merges it rounds once, where
relearn rounds once for each link: such a model differs from the merged one in the last bits.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from study.models.adapters.peft_folder import WEIGHTS, is_adapter
from study.models.adapters.product import Product
from study.models.structure import without_weights
from study.models.tokenizer import Source
from study.planning.stages import Pretrained


def adapters_on_a_model(source: Source, chain: Sequence[Path]) -> list[Product]:
    """The links of a chain that is nothing but adapters of linear layers on a model that others have; else none."""
    if not isinstance(source, Pretrained) or is_adapter(Path(source.location)):
        return []
    links = [Product.read(path) for path in chain]
    products = [link for link in links if link is not None and link.is_of_layers]
    return products if len(products) == len(links) else []


def write_adapter(source: Pretrained, products: Sequence[Product], folder: Path) -> None:
    """Writes ``adapter_config.json`` and ``adapter_model.safetensors`` into a folder."""
    from peft import LoraConfig

    names = sorted({name for product in products for name in product.factors})
    rank = sum(product.rank for product in products)
    layers: dict[str, Any] = dict(without_weights(source).named_modules())
    transposed = any(isinstance(layers[name.removesuffix(".weight")], Conv1D) for name in names)
    tensors = {}
    for name in names:
        b, a = _joined([(product.factors.get(name), product) for product in products])
        down, up = (b.T, a.T) if transposed else (a, b)
        layer = f"base_model.model.{name.removesuffix('.weight')}"
        tensors[f"{layer}.lora_A.weight"] = down.contiguous()
        tensors[f"{layer}.lora_B.weight"] = up.contiguous()
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    there = Path(source.location)
    LoraConfig(
        base_model_name_or_path=str(there.resolve()) if there.is_dir() else source.location,
        revision=None if there.is_dir() else source.fingerprint,
        r=rank,
        lora_alpha=rank,
        target_modules=[name.removesuffix(".weight") for name in names],
        fan_in_fan_out=transposed,
        bias="none",
        task_type="CAUSAL_LM",
        inference_mode=True,
    ).save_pretrained(str(folder))


def _joined(links: list[tuple[tuple[Tensor, Tensor] | None, Product]]) -> tuple[Tensor, Tensor]:
    """B, scaled, and A of all links side by side; zeros where one does not adapt the layer."""
    shape = next((b.shape[0], a.shape[1]) for both, _ in links if both is not None for b, a in [both])
    bs, as_ = [], []
    for both, product in links:
        b, a = both or (torch.zeros(shape[0], product.rank), torch.zeros(product.rank, shape[1]))
        bs.append(b * product.scale)
        as_.append(a)
    return torch.cat(bs, dim=1), torch.cat(as_, dim=0)
