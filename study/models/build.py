"""A model from its description: embedded (built here from a seed) or pretrained (a folder or the hub)."""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from study.errors import PreflightError
from study.identity import derived_seed
from study.models.adapters.peft_folder import adapters_of, embedding_rows
from study.models.pretrained import local_folder
from study.models.tokenizer import SPECIAL, end_id
from study.planning.stages import Embedded, Pretrained

DTYPES = {"float32": torch.float32, "mixed": torch.float32, "bfloat16": torch.bfloat16}
_LAYER = re.compile(r"(?<=\.)\d+(?=\.)")


def embedded_config(source: Embedded) -> LlamaConfig:
    """The configuration of the embedded model: transformers' Llama."""
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


def build_embedded(source: Embedded) -> PreTrainedModel:
    """Random weights drawn from the source's seed on the CPU, so that every device starts with the same bits."""
    config = embedded_config(source)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(source.seed, "embedded", "initial weights"))
        model: PreTrainedModel = LlamaForCausalLM._from_config(config, attn_implementation=source.attention)
    torch.nn.Module.to(model, DTYPES[source.precision])
    return model


def load_pretrained(source: Pretrained) -> PreTrainedModel:
    """The model of a folder or a hub revision, from safetensors alone; none of its own code is run.

    The weights of an adapter folder are merged into its base's; of adapters upon adapters, one after the other.

    Raises:
        PreflightError: see ``pretrained.local_folder``; or weights are missing, or the adapter is of a kind that cannot
            be merged.
    """
    load: Any = AutoModelForCausalLM  # transformers does not say that the information makes it two values
    model, found = load.from_pretrained(
        local_folder(source.location, source.fingerprint),
        dtype=DTYPES[source.precision],
        attn_implementation=source.attention,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        return_dict=True,  # some config.json ask for tuples
    )
    if missing := sorted(found["missing_keys"]):
        raise PreflightError(
            f"model={source.location}: its weights lack {missing[0]} ({len(missing)} tensors in all), which would be "
            f"random; expected all weights of {type(model).__name__}, as save_pretrained writes them"
        )
    if left_over := _layers_left_over(model, found["unexpected_keys"]):
        raise PreflightError(
            f"model={source.location}: its weights hold {left_over[0]} ({len(left_over)} tensors in all), which the "
            "model of its config.json has no place for; expected as many layers there as in the weights"
        )
    with torch.no_grad():
        for parameter in model.parameters():
            # Out of the memory-mapped file, into memory that torch aligns: then sums have the same bits everywhere.
            parameter.data = parameter.data.clone()
    for folder in adapters_of(source.location):
        _merge_adapter(model, folder)
    loaded: PreTrainedModel = model
    return loaded


def _layers_left_over(model: PreTrainedModel, unexpected: Iterable[str]) -> list[str]:
    """The tensors of layers that the configuration does not count.

    Other tensors that nothing asks for are no fault: of a vision tower beside the text model, for example.
    """
    known = {_LAYER.sub("*", name) for name in model.state_dict()}
    return sorted(name for name in unexpected if _LAYER.sub("*", name) in known)


def _merge_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Merges the adapter of a folder into a model, in place."""
    from peft import PeftModel

    embedding: Any = model.get_input_embeddings()
    rows = embedding_rows(folder)
    if rows is not None and rows != int(embedding.weight.shape[0]):  # trained with tokens that its base lacks
        model.resize_token_embeddings(rows)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        warnings.filterwarnings("ignore", message=".is_gradient_checkpointing. is deprecated")
        warnings.filterwarnings("error", message="Found missing adapter keys")
        try:
            adapted = PeftModel.from_pretrained(model, folder, use_safetensors=True)
            adapted.merge_and_unload()
        except (ValueError, RuntimeError, KeyError, AttributeError, TypeError, UserWarning) as error:
            raise PreflightError(
                f"model={folder}: its adapter cannot be merged into its base ({str(error).strip().splitlines()[0]}); "
                "merge it where it was made (merge_and_unload, save_pretrained), and name that folder"
            ) from error
    model.requires_grad_(requires_grad=True)
