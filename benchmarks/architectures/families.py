"""A tiny model of each family that transformers knows, with random weights, made from its configuration class."""

from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

VOCABULARY = 512
ENLARGED = 4
SMALL: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "d_model": 32,
    "n_embd": 32,
    "embedding_size": 32,
    "intermediate_size": 64,
    "ffn_dim": 64,
    "ffn_hidden_size": 64,
    "num_hidden_layers": 2,
    "num_layers": 2,
    "n_layer": 2,
    "n_layers": 2,
    "num_attention_heads": 4,
    "attention_heads": 4,
    "num_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "n_positions": 256,
    "max_seq_len": 256,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "expert_ffn_hidden_size": 32,
    "attn_pdrop": 0.0,
    "embd_pdrop": 0.0,
    "resid_pdrop": 0.0,
    "residual_dropout": 0.0,
    "attention_dropout": 0.0,
    "hidden_dropout": 0.0,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "activation_dropout": 0.0,
    "embed_dropout": 0.0,
    "dropout": 0.0,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""Sizes by the names that configurations have for them; a configuration takes those that it knows."""
SSM = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_chunk_size": 16}
LATENT = {
    "kv_lora_rank": 16, "q_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8, "n_group": 1,
    "topk_group": 1, "first_k_dense_replace": 1, "num_key_value_heads": 4, "head_dim": 8,
}  # fmt: skip
"""Multi-head latent attention: keys and values of a low rank."""
GATED_DELTA = {
    "layer_types": ["linear_attention", "full_attention"], "linear_num_key_heads": 2, "linear_num_value_heads": 2,
    "linear_key_head_dim": 8, "linear_value_head_dim": 8, "head_dim": 16,
}  # fmt: skip

STATE_SPACES: dict[str, dict[str, Any]] = {
    "bamba": {**SSM, "attn_layer_indices": [1]},
    "falcon_h1": {**SSM, "mamba_d_ssm": 64},
    "falcon_mamba": {},
    "granitemoehybrid": {**SSM, "layer_types": ["mamba", "attention"], "shared_intermediate_size": 32},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "mamba_dt_rank": 4,
              "mamba_d_state": 8},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "mamba": {},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 16},
    "minimax": {},
    "nemotron_h": {**SSM, "hybrid_override_pattern": "M*-", "num_hidden_layers": 3, "mamba_num_heads": 8,
                   "mamba_head_dim": 8, "ssm_state_size": 8, "n_groups": 1, "chunk_size": 16},
    "qwen3_5_text": GATED_DELTA,
    "qwen3_next": {**GATED_DELTA, "moe_intermediate_size": 32},
    "recurrent_gemma": {"lru_width": 32, "block_types": ["recurrent", "attention"], "attention_window_size": 8},
    "rwkv": {"attention_hidden_size": 32},
    "xlstm": {},
    "zamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 8, "num_hidden_layers": 5,
              "mamba_dt_rank": 4, "n_mamba_heads": 2},
    "zamba2": {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"], "mamba_d_state": 8,
               "mamba_headdim": 8, "n_mamba_heads": 8, "mamba_ngroups": 1, "chunk_size": 16},
}  # fmt: skip
"""Families with recurrent or convolution layers, or a cache of their own."""
WINDOWS: dict[str, dict[str, Any]] = {
    "cohere2": {"sliding_window": 4},
    "exaone4": {"sliding_window": 4},
    "gemma2": {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]},
    "gemma3_text": {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]},
    "gemma3n_text": {"hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 512, "laurel_rank": 4,
                     "num_kv_shared_layers": 0, "altup_num_inputs": 2},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},
    "gpt_oss": {"sliding_window": 4, "layer_types": ["sliding_attention", "full_attention"]},
    "llama4_text": {},
    "mistral": {"sliding_window": 4},
    "modernbert-decoder": {},
    "olmo3": {"sliding_window": 4},
    "vaultgemma": {"sliding_window": 4},
}  # fmt: skip
"""Families whose layers look back a window."""
EXPERTS: dict[str, dict[str, Any]] = {
    "deepseek_v2": LATENT,
    "deepseek_v3": LATENT,
    "ernie4_5_moe": {},
    "flex_olmo": {},
    "glm4_moe": {},
    "granitemoe": {},
    "jetmoe": {},
    "longcat_flash": {**LATENT, "zero_expert_num": 1, "moe_topk": 2},
    "mixtral": {},
    "olmoe": {},
    "phimoe": {},
    "qwen2_moe": {},
    "qwen3_moe": {},
}
"""Mixtures of experts."""
DENSE: dict[str, dict[str, Any]] = {
    "apertus": {}, "biogpt": {}, "bloom": {}, "codegen": {"rotary_dim": 4}, "cohere": {}, "ctrl": {}, "falcon": {},
    "gemma": {}, "glm": {}, "gpt2": {}, "gpt_bigcode": {}, "gpt_neox": {}, "gptj": {"rotary_dim": 4}, "granite": {},
    "helium": {}, "llama": {}, "mpt": {}, "nanochat": {}, "nemotron": {}, "olmo": {}, "olmo2": {}, "openai-gpt": {},
    "opt": {}, "persimmon": {}, "phi": {}, "phi3": {}, "qwen2": {}, "qwen3": {}, "seed_oss": {}, "smollm3": {},
    "stablelm": {}, "starcoder2": {}, "xglm": {},
}  # fmt: skip
"""Plain decoders."""
OTHERS: dict[str, dict[str, Any]] = {
    "bert": {"is_decoder": True},
    "roberta": {"is_decoder": True},
    "reformer": {"is_decoder": True, "attn_layers": ["local", "local"], "axial_pos_embds": False,
                 "local_attn_chunk_length": 8, "feed_forward_size": 64, "attention_head_size": 8},
    "xlm": {"causal": True, "emb_dim": 32},
    "xlnet": {"d_head": 8, "d_inner": 64, "n_head": 4},
}  # fmt: skip
"""Encoders used as decoders, and families from before decoders were alike."""
GROUPS = {
    "Plain decoders": DENSE,
    "Mixtures of experts": EXPERTS,
    "Layers that look back a window": WINDOWS,
    "Recurrent and convolution layers": STATE_SPACES,
    "Others": OTHERS,
}
FAMILIES: dict[str, dict[str, Any]] = {kind: own for group in GROUPS.values() for kind, own in group.items()}
"""What each family needs beside ``SMALL``."""


def tiny_config(kind: str, **settings: Any) -> PreTrainedConfig:
    """The configuration of a family at a tiny size.

    Args:
        kind: transformers' model_type.
        settings: what replaces the sizes of ``SMALL`` and ``FAMILIES``.
    """
    made = CONFIG_MAPPING[kind]
    named = getattr(made, "attribute_map", {})
    known = set(made().to_dict()) | set(named)
    wanted = (
        {name: value for name, value in SMALL.items() if name in known} | FAMILIES.get(kind, {}) | settings
    )
    return made(**{named.get(name, name): value for name, value in wanted.items()})


def tiny_model(kind: str, **settings: Any) -> PreTrainedModel:
    """A model of a family with random weights, enlarged so that it is far from uniform."""
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        tiny_config(kind, **settings), trust_remote_code=False
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(ENLARGED)
    model.eval()
    return model
