"""Models: a folder, a hub id, or the embedded one; kept resident, with weights moved in and out.

Building a model costs seconds, loading weights into one that is there costs milliseconds. So an actor keeps
one ``Resident`` and every stage with the same source reuses it. Weights travel as the model's named
parameters (tied ones once) and persistent buffers; copying them into memory that torch allocated keeps the
alignment, and with it the bits, the same in every process.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from study.errors import IntegrityError
from study.identity import derived_seed
from study.pretrained import local_folder
from study.stages import Embedded, Pretrained

Source = Pretrained | Embedded
PAD, BEGIN, UNKNOWN = "<pad>", "<begin>", "<unknown>"


class Resident:
    """A model and its tokenizer in memory, on the device that the process was given."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model, self.tokenizer = (
            _embedded(source) if isinstance(source, Embedded) else _pretrained(source)
        )
        torch.nn.Module.to(self.model, self.device)
        self.model.eval()
        if self.tokenizer.pad_token_id is None:
            # Padded places are masked, so any token serves; a causal model often has only an end token.
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
        self._initial = {name: value.clone() for name, value in self.weights().items()}

    @property
    def pad(self) -> int:
        """The id that fills up batches."""
        return int(self.tokenizer.pad_token_id or 0)

    @property
    def context(self) -> int:
        """The longest sequence that the model takes, in tokens."""
        return int(getattr(self.model.config, "max_position_embeddings", 2048))

    def weights(self) -> dict[str, torch.Tensor]:
        """Name → tensor on the CPU, each tied parameter once."""
        persistent = self.model.state_dict().keys()
        named: dict[str, torch.Tensor] = {}
        named.update(self.model.named_parameters())
        named.update({name: value for name, value in self.model.named_buffers() if name in persistent})
        return {name: value.detach().cpu().contiguous() for name, value in named.items()}

    def reset(self) -> None:
        """Back to the source's own weights."""
        self._copy_in(self._initial)

    def save(self, path: Path) -> None:
        """Writes the weights as safetensors."""
        save_file(self.weights(), path)

    def load(self, path: Path) -> None:
        """Reads weights that ``save`` wrote from a model of the same source."""
        self._copy_in(load_file(path))

    def _copy_in(self, weights: Mapping[str, torch.Tensor]) -> None:
        named = dict(self.model.named_parameters()) | dict(self.model.named_buffers())
        expected = self._initial.keys() if hasattr(self, "_initial") else weights.keys()
        if weights.keys() != expected:
            wrong = sorted(set(expected) ^ set(weights))[:3]
            raise IntegrityError(f"weights do not fit the model: {wrong} are missing or too many")
        with torch.no_grad():
            for name, value in weights.items():
                named[name].copy_(value)
                named[name].grad = None


def _embedded(source: Embedded) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    words = [PAD, BEGIN, UNKNOWN, *source.vocabulary]
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=UNKNOWN)
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, 1)]
    )
    shape = source.architecture
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=shape.width,
        intermediate_size=4 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(source.seed, "embedded", "initial weights"))
        model = LlamaForCausalLM._from_config(config, attn_implementation=source.attention)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=BEGIN, unk_token=UNKNOWN
    )
    return model, fast


def _pretrained(source: Pretrained) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    folder = local_folder(source.location, source.fingerprint)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        attn_implementation=source.attention,
        use_safetensors=True,
        trust_remote_code=False,
    )
    return model, tokenizer
