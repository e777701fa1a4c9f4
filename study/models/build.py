"""A model from its description: embedded (built here from a seed) or pretrained (a folder or the hub)."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from study.identity import derived_seed
from study.models.peft_folder import is_adapter
from study.models.pretrained import local_folder
from study.models.tokenizer import SPECIAL, end_id
from study.planning.stages import Embedded, Pretrained

DTYPES = {"float32": torch.float32, "mixed": torch.float32, "bfloat16": torch.bfloat16}


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

    The weights of an adapter folder are merged into its base's.

    Raises:
        PreflightError: see ``pretrained.local_folder``.
    """
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        local_folder(source.location, source.fingerprint),
        dtype=DTYPES[source.precision],
        attn_implementation=source.attention,
        use_safetensors=True,
        trust_remote_code=False,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            # Out of the memory-mapped file, into memory that torch aligns: then sums have the same bits everywhere.
            parameter.data = parameter.data.clone()
    if is_adapter(Path(source.location)):
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(model, source.location, use_safetensors=True)
        adapted.merge_and_unload()  # in place
        model.requires_grad_(requires_grad=True)
    return model
