"""A model and its tokenizer that stay in memory from stage to stage, with weights moved in and out.

Building a model costs seconds; loading weights into one that is built costs milliseconds. So an actor keeps
one ``Resident``, and every stage with the same source reuses it. Weights travel as the model's named
parameters (tied ones once) and persistent buffers; copying them into memory that torch allocated keeps the
alignment, and with it the bits, the same in every process.

A checkpoint is a chain of files: whole weights, or the source's own where the first file is an adapter's, and adapters
upon them. They are merged into the weights; over bfloat16 weights they stay beside them (``adapters.product``).
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from study.errors import IntegrityError
from study.models.adapters.product import Product, hang_beside, plain_name, refuse_other_weights, take_off
from study.models.build import build_embedded, load_pretrained
from study.models.devices.placement import Placement
from study.models.token_ids import end_ids
from study.models.tokenizer import Source, context_of, load_tokenizer, said_ends
from study.models.weight_distance import norm_of, relative_distance
from study.planning.stages import Embedded

ON_CPU = Placement()


class Resident:
    """A model and its tokenizer.

    Attributes:
        source: the description that both were made from.
        placement: where the model lies and computes.
        device: the first that computes: where inputs and logits lie.
        context: the longest sequence that the model takes, in tokens.
        end_ids: the tokens that end a text: those that tokenizer, configuration and generation settings name.
        beside: the adapters that stand beside the weights, in order; always empty where they are merged.
        norms: of the weights of checkpoints, by their files, as far as somebody needed them.
    """

    def __init__(self, source: Source, placement: Placement = ON_CPU) -> None:
        disable_progress_bar()  # of weights loaded and saved: in a log or a pipe each of its moves is a line
        self.source = source
        self.placement = placement
        self.device = placement.first
        self.tokenizer = load_tokenizer(source)
        self.model = build_embedded(source) if isinstance(source, Embedded) else load_pretrained(source)
        placement.put(self.model)
        self.model.eval()
        if self.tokenizer.pad_token_id is None:
            # Padding is masked, so any token serves; many causal models have only an end token.
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
        self.context = context_of(source)
        said = [] if isinstance(source, Embedded) else said_ends(source)
        self.end_ids = end_ids(self.tokenizer, *said)
        # One copy, also from a GPU, and in memory of its own.
        self._initial = {
            name: value.detach().to("cpu", copy=True).contiguous() for name, value in self._named().items()
        }
        self._merges = source.precision != "bfloat16"
        self.beside: list[Product] = []
        self.norms: dict[tuple[Path, ...], float] = {}

    def autocast(self) -> AbstractContextManager[None]:
        """Around every forward pass: bfloat16 where the source says mixed precision."""
        if self.source.precision != "mixed":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    @property
    def pad_id(self) -> int:
        """The token id that batches are padded with.

        Padding is masked, so any token serves. A pad token that was added to the tokenizer alone has no embedding.
        """
        embedding: Any = self.model.get_input_embeddings()
        rows = int(embedding.weight.shape[0])
        pad = int(self.tokenizer.pad_token_id or 0)
        return pad if pad < rows else 0

    def weights(self) -> dict[str, torch.Tensor]:
        """Name → tensor on the CPU, each tied parameter once, without a LoRA adapter's own.

        On a CPU they share the model's memory, and change with it.
        """
        return {name: value.detach().cpu().contiguous() for name, value in self._named().items()}

    def put(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Copies weights into the model by their names, and drops its gradients and what stands beside them.

        Raises:
            IntegrityError: the names are not the model's.
        """
        if weights.keys() != self._initial.keys():
            wrong = sorted(self._initial.keys() ^ weights.keys())[:3]
            raise IntegrityError(f"weights do not fit the model: {wrong} are missing or too many")
        take_off(self.model)
        self.beside.clear()
        _copy_in(_all_of(self.model), weights)

    def keep_shapes(self) -> None:
        """Frees all weights for good: what stays can encode texts, and be cut into shards."""
        self.model = without_weights(self.model)
        self._initial = {}

    def give_up_memory(self) -> None:
        """The weights keep their shapes and lose their values, until ``take_memory``."""
        for parameter in self.model.parameters():
            parameter.data = parameter.data.new_zeros(()).expand(parameter.shape)

    def take_memory(self) -> dict[str, torch.Tensor]:
        """After ``give_up_memory``: memory for the weights, to be filled by their names; else as they are."""
        for parameter in self.model.parameters():
            if parameter.numel() > 1 and not any(parameter.stride()):
                parameter.data = torch.empty(parameter.shape, dtype=parameter.dtype, device=self.device)
        return self._named()

    def reset(self) -> None:
        """Back to the source's own weights."""
        self.put(self._initial)

    def save(self, path: Path) -> None:
        """Writes the weights as safetensors.

        Raises:
            ValueError: adapters stand beside them, which one file of weights cannot say.
        """
        if self.beside:
            raise ValueError("all weights would be kept without the adapters that stand beside them")
        save_file(self.weights(), path)

    def load(self, *chain: Path) -> None:
        """Reads a checkpoint of the same source: what ``save`` and ``Product.save`` wrote, in order.

        Raises:
            IntegrityError: they are another model's.
        """
        whole, products = _opened(chain)
        self.put(self._initial if whole is None else load_file(whole))
        for product in products:
            self.add(product)

    def add(self, product: Product) -> None:
        """Adds an adapter for good.

        Raises:
            IntegrityError: it is another model's.
        """
        named = self._named()
        refuse_other_weights(product, named)
        if self._merges:
            _merge(product, named, self.device)
        else:
            hang_beside(self.model, product)
            self.beside.append(product)

    @contextmanager
    def adding(self, product: Product) -> Iterator[None]:
        """Adds an adapter for the length of the block; afterwards the model is as before, to the bit."""
        if not self._merges:
            handles = hang_beside(self.model, product)
            self.beside.append(product)
            try:
                yield
            finally:
                self.beside.pop()
                for handle in handles:
                    handle.remove()
            return
        named = self._named()
        before = {name: named[name].detach().clone() for name in product.factors}
        _merge(product, named, self.device)
        try:
            yield
        finally:
            _copy_in(named, before)

    def merged_model(self) -> PreTrainedModel:
        """A plain model for others: this one, or a copy in float32 with the adapters merged that stand beside it."""
        if not self.beside:
            return self.model
        other = frozen_copy(self.model)
        take_off(other)
        torch.nn.Module.float(other)
        for product in self.beside:
            _merge(product, _all_of(other), self.device)
        return other

    def copy_of(self, *chain: Path) -> PreTrainedModel:
        """A frozen model beside this one, at a checkpoint as ``load`` reads it."""
        whole, products = _opened(chain)
        other = frozen_copy(self.model)
        take_off(other)
        _copy_in(_all_of(other), self._initial if whole is None else load_file(whole))
        for product in products:
            if self._merges:
                _merge(product, _all_of(other), self.device)
            else:
                hang_beside(other, product)
        return other

    def distance(self, *chain: Path) -> float:
        """Relative distance to a checkpoint as ``load`` reads it; without one, to the source's own weights.

        What stands beside weights is counted as if it were merged into them in float32. See ``weight_distance``.
        """
        whole, products = _opened(chain)
        with nullcontext() if whole is None else safe_open(whole, framework="pt") as file:
            return relative_distance(
                (
                    (
                        self._with(self.beside, name, value.detach()),
                        self._with(
                            products, name, self._initial[name] if file is None else file.get_tensor(name)
                        ),
                    )
                    for name, value in self._named().items()
                ),
                self.device,
            )

    def norm(self) -> float:
        """Of all weights together, with what stands beside them, as ``distance`` counts them."""
        return norm_of(
            (self._with(self.beside, name, value.detach()) for name, value in self._named().items()),
            self.device,
        )

    def _with(self, products: list[Product], name: str, weight: torch.Tensor) -> torch.Tensor:
        """A weight with what adapters add to it, on the model's device; the weight itself where they add nothing."""
        adding = [product for product in products if name in product.factors]
        if not adding:
            return weight
        merged = weight.to(self.device, torch.float32, copy=True)
        for product in adding:
            product.merge(name, merged)
        return merged

    def _named(self) -> dict[str, torch.Tensor]:
        persistent = self.model.state_dict().keys()
        named: dict[str, torch.Tensor] = {}
        named.update(self.model.named_parameters())
        named.update({name: value for name, value in self.model.named_buffers() if name in persistent})
        return {plain: value for name, value in named.items() if (plain := plain_name(name)) is not None}


def frozen_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The model as it is now, in evaluation mode and without gradients."""
    reference = copy.deepcopy(model)
    reference.eval()
    reference.requires_grad_(requires_grad=False)
    return reference


def without_weights(model: PreTrainedModel) -> PreTrainedModel:
    """A copy whose parameters have shapes and no memory; buffers, which are small, are copied."""
    shapes = {
        id(parameter): torch.nn.Parameter(
            torch.empty_like(parameter, device="meta"), requires_grad=parameter.requires_grad
        )
        for parameter in model.parameters()
    }
    return copy.deepcopy(model, dict(shapes))


def _opened(chain: tuple[Path, ...]) -> tuple[Path | None, list[Product]]:
    """The file of whole weights, None where a chain begins with the source's own, and the adapters."""
    products = [Product.read(path) for path in chain]
    if any(product is None for product in products[1:]):
        raise IntegrityError(f"{chain[-1].name}: whole weights stand upon an adapter, where a chain has none")
    whole = chain[0] if products and products[0] is None else None
    return whole, [product for product in products if product is not None]


def _all_of(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return dict(model.named_parameters()) | dict(model.named_buffers())


def _merge(product: Product, named: Mapping[str, torch.Tensor], device: torch.device) -> None:
    """Where each weight lies; those in main memory beside a card are summed on the card, to the same bits."""
    with torch.no_grad():
        for name in product.factors:
            weight = named[name]
            there = weight.to(device) if weight.device.type == "cpu" else weight
            product.merge(name, there)
            if there is not weight:
                weight.copy_(there)


def _copy_in(named: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, value in weights.items():
            named[name].copy_(value)
            named[name].grad = None
