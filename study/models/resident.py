"""A model and its tokenizer that stay in memory from stage to stage, with weights moved in and out.

Building a model costs seconds; loading weights into one that is built costs milliseconds. So an actor keeps
one ``Resident``, and every stage with the same source reuses it. Weights travel as the model's named
parameters (tied ones once) and persistent buffers; copying them into memory that torch allocated keeps the
alignment, and with it the bits, the same in every process.
"""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from study.errors import IntegrityError
from study.models.build import build_embedded, load_pretrained
from study.models.lora import plain_name
from study.models.token_ids import end_ids
from study.models.tokenizer import Source, context_of, load_tokenizer, said_ends
from study.models.weight_distance import relative_distance
from study.planning.stages import Embedded

CPU = torch.device("cpu")


class Resident:
    """A model and its tokenizer, on one device.

    Attributes:
        source: the description that both were made from.
        device: where the model lies and computes.
        context: the longest sequence that the model takes, in tokens.
        end_ids: the tokens that end a text: those that tokenizer, configuration and generation settings name.
    """

    def __init__(self, source: Source, device: torch.device = CPU) -> None:
        self.source = source
        self.device = device
        self.tokenizer = load_tokenizer(source)
        self.model = build_embedded(source) if isinstance(source, Embedded) else load_pretrained(source)
        torch.nn.Module.to(self.model, self.device)
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
        """Copies weights into the model by their names, and drops its gradients.

        Raises:
            IntegrityError: the names are not the model's.
        """
        if weights.keys() != self._initial.keys():
            wrong = sorted(self._initial.keys() ^ weights.keys())[:3]
            raise IntegrityError(f"weights do not fit the model: {wrong} are missing or too many")
        _copy_in(dict(self.model.named_parameters()) | dict(self.model.named_buffers()), weights)

    def reset(self) -> None:
        """Back to the source's own weights."""
        self.put(self._initial)

    def save(self, path: Path) -> None:
        """Writes the weights as safetensors."""
        save_file(self.weights(), path)

    def load(self, path: Path) -> None:
        """Reads weights that ``save`` wrote from a model of the same source.

        Raises:
            IntegrityError: they are another model's.
        """
        self.put(load_file(path))

    def copy_of(self, path: Path) -> PreTrainedModel:
        """A frozen model beside this one, with weights that ``save`` wrote."""
        other = frozen_copy(self.model)
        _copy_in(dict(other.named_parameters()) | dict(other.named_buffers()), load_file(path))
        return other

    def distance(self, path: Path | None) -> float:
        """Relative distance to weights that ``save`` wrote; with None, to the source's own. See ``weight_distance``."""
        with nullcontext() if path is None else safe_open(path, framework="pt") as file:
            return relative_distance(
                (
                    (value, self._initial[name] if file is None else file.get_tensor(name))
                    for name, value in self._named().items()
                ),
                self.device,
            )

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


def _copy_in(named: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, value in weights.items():
            named[name].copy_(value)
            named[name].grad = None
