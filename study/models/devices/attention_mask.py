"""Attention masks of four dimensions, ready for the kernel, where a GPU would otherwise wait.

From a mask of two dimensions transformers makes one of four, or none where nothing is padded. To know that, the host
waits for the GPU in every forward pass; and which kernel runs depends on the batch. A CPU is not waited for: there
the mask stays as it is.
"""

import torch
from torch import Tensor
from transformers import DynamicCache, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer


def ready_mask(model: PreTrainedModel, mask: Tensor, queries: int) -> Tensor:
    """The mask that a model is given.

    Args:
        mask: (sequences, keys), 1 where a token is; it covers a KV cache and the input.
        queries: tokens of the input, the last ones of the mask.

    Returns:
        ``causal_mask`` on a GPU, where every layer of the model attends to all tokens by torch's own attention; else
        the mask itself.
    """
    if mask.device.type == "cpu" or not _attends_to_all(model.config):
        return mask
    return causal_mask(mask, queries)


def causal_mask(mask: Tensor, queries: int) -> Tensor:
    """Bool, (sequences, 1, queries, keys): True where a query may look, at tokens up to itself."""
    places = torch.arange(mask.shape[1], device=mask.device)
    causal = places[None, :] <= places[-queries:, None]
    return (causal[None] & mask[:, None, :].bool())[:, None]


def keeps_every_token(config: PretrainedConfig) -> bool:
    """Whether every layer of a model keeps every token in its cache, as none with a sliding window does."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def _attends_to_all(config: PretrainedConfig) -> bool:
    return config._attn_implementation == "sdpa" and keeps_every_token(config)
