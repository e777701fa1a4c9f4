"""Models: a folder, a hub id, or the embedded one; kept resident, with weights moved in and out.

Building a model costs seconds, loading weights into one that is there costs milliseconds. So an actor keeps
one ``Resident`` and every stage with the same source reuses it. Weights travel as the model's named
parameters (tied ones once) and persistent buffers; copying them into memory that torch allocated keeps the
alignment, and with it the bits, the same in every process.
"""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from study.adapters import is_adapter
from study.errors import IntegrityError
from study.identity import derived_seed
from study.lora import plain_name
from study.pretrained import local_folder
from study.stages import Embedded, Pretrained
from study.tokenizer import SPECIAL, Source, context_of, end_id, load_tokenizer

if TYPE_CHECKING:  # slow to import, and most studies need neither peft nor accelerate
    from accelerate import Accelerator

PIECE = {"cpu": 1 << 16}
PIECE_ELSEWHERE = 1 << 24
"""Elements that are compared at once, by kind of device."""
DTYPES = {"float32": torch.float32, "mixed": torch.float32, "bfloat16": torch.bfloat16}


class Resident:
    """A model and its tokenizer in memory, on the device that the process was given."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = load_tokenizer(source)
        self.model = _embedded(source) if isinstance(source, Embedded) else _pretrained(source)
        torch.nn.Module.to(self.model, self.device)
        self.model.eval()
        if self.tokenizer.pad_token_id is None:
            # Padded places are masked, so any token serves; a causal model often has only an end token.
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
        self.context = context_of(source)
        """The longest sequence that the model takes, in tokens."""
        self._initial = {name: value.clone() for name, value in self.weights().items()}
        self._mixed = _mixed_precision(self.device) if source.precision == "mixed" else None

    def computing(self) -> AbstractContextManager[None]:
        """Around every forward pass: bfloat16 where the source asks for mixed precision."""
        return nullcontext() if self._mixed is None else self._mixed.autocast()

    @property
    def pad(self) -> int:
        """The id that fills up batches."""
        return int(self.tokenizer.pad_token_id or 0)

    def weights(self) -> dict[str, torch.Tensor]:
        """Name → tensor on the CPU, each tied parameter once, without a LoRA adapter's own.

        On a CPU they are the model's own memory, and change with it.
        """
        return {name: value.detach().cpu().contiguous() for name, value in self._named().items()}

    def reset(self) -> None:
        """Back to the source's own weights."""
        self.put(self._initial)

    def save(self, path: Path) -> None:
        """Writes the weights as safetensors."""
        save_file(self.weights(), path)

    def load(self, path: Path) -> None:
        """Reads weights that ``save`` wrote from a model of the same source."""
        self.put(load_file(path))

    def copy_of(self, path: Path) -> PreTrainedModel:
        """A frozen model beside this one, with weights that ``save`` wrote."""
        other = frozen_copy(self.model)
        _copy_in(dict(other.named_parameters()) | dict(other.named_buffers()), load_file(path))
        return other

    def distance(self, path: Path | None) -> float:
        """Norm of the difference to weights that ``save`` wrote, over their norm; None: the source's own.

        In float64, where the model is, and piece by piece: whole tensors in float64 do not stay in a processor's
        cache, which takes ten times as long, and beside a large model they may not fit at all.
        """
        difference = torch.zeros((), dtype=torch.float64, device=self.device)
        norm = torch.zeros_like(difference)
        size = PIECE.get(self.device.type, PIECE_ELSEWHERE)
        with nullcontext() if path is None else safe_open(path, framework="pt") as file:
            for name, value in self._named().items():
                other = self._initial[name] if file is None else file.get_tensor(name)
                other = other.to(self.device).flatten()
                for mine, its in zip(value.detach().flatten().split(size), other.split(size), strict=True):
                    there = its.double()
                    away = mine.double() - there
                    difference += torch.dot(away, away)
                    norm += torch.dot(there, there)
        return float((difference / norm).sqrt()) if norm else 0.0

    def _named(self) -> dict[str, torch.Tensor]:
        persistent = self.model.state_dict().keys()
        named: dict[str, torch.Tensor] = {}
        named.update(self.model.named_parameters())
        named.update({name: value for name, value in self.model.named_buffers() if name in persistent})
        return {plain: value for name, value in named.items() if (plain := plain_name(name)) is not None}

    def put(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Copies weights in, by the names that ``weights`` gives them."""
        if weights.keys() != self._initial.keys():
            wrong = sorted(self._initial.keys() ^ weights.keys())[:3]
            raise IntegrityError(f"weights do not fit the model: {wrong} are missing or too many")
        _copy_in(dict(self.model.named_parameters()) | dict(self.model.named_buffers()), weights)


def _mixed_precision(device: torch.device) -> "Accelerator":
    from accelerate import Accelerator

    return Accelerator(mixed_precision="bf16", cpu=device.type == "cpu")


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


def linear_layers(source: Source) -> set[str]:
    """The names of the layers that an adapter can be put on, without building the model's weights."""
    from accelerate import init_empty_weights

    with init_empty_weights():
        if isinstance(source, Embedded):
            model: PreTrainedModel = LlamaForCausalLM(_embedded_config(source))
        else:
            folder = local_folder(source.location, source.fingerprint)
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }


def _embedded_config(source: Embedded) -> LlamaConfig:
    shape = source.architecture
    return LlamaConfig(
        vocab_size=len(source.vocabulary) + len(SPECIAL),
        hidden_size=shape.width,
        intermediate_size=4 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=end_id(source),
    )


def _embedded(source: Embedded) -> PreTrainedModel:
    config = _embedded_config(source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(source.seed, "embedded", "initial weights"))
        model: PreTrainedModel = LlamaForCausalLM._from_config(config, attn_implementation=source.attention)
    torch.nn.Module.to(model, DTYPES[source.precision])
    return model


def _pretrained(source: Pretrained) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        local_folder(source.location, source.fingerprint),
        dtype=DTYPES[source.precision],
        attn_implementation=source.attention,
        use_safetensors=True,
        trust_remote_code=False,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            # Out of the mapped file, into memory as torch aligns it: sums are the same then everywhere.
            parameter.data = parameter.data.clone()
    if is_adapter(Path(source.location)):
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(model, source.location, use_safetensors=True)
        adapted.merge_and_unload()  # in place
        model.requires_grad_(requires_grad=True)
    return model
