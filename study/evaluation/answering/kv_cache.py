"""A KV cache for decoding batches: its memory is allocated once, and a new token copies no old one.

Transformers' own cache concatenates old and new for each token. Here a layer's memory has the capacity for all tokens
that the batch can come to hold, and what is returned is a view. Transformers' ``StaticCache`` cannot stand in: it
attends over its whole capacity and neither crops nor drops rows.
"""

from collections.abc import Sequence

from torch import Tensor
from transformers import DynamicCache, PretrainedConfig
from transformers.cache_utils import DummyLayer, DynamicIndexedLayer, DynamicLayer, DynamicSlidingWindowLayer

OF_TOKENS = (DynamicLayer, DynamicSlidingWindowLayer, DynamicIndexedLayer, DummyLayer)
"""Layers that hold what they cache token by token, or hold nothing."""


class PreallocatedLayer(DynamicLayer):
    """Keys and values of one layer, (rows, heads, tokens, head size), with memory for ``capacity`` tokens."""

    def __init__(self, capacity: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._capacity = capacity
        self._memory: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Writes the new tokens behind the cached ones, and returns all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        cached = self.get_seq_length()
        end = cached + key_states.shape[-2]
        if self._memory is None or end > self._memory[0].shape[-2]:
            self._allocate(max(end, self._capacity), cached, key_states, value_states)
        keys, values = self._allocated
        keys[:, :, cached:end] = key_states
        values[:, :, cached:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps some rows of the batch, in the order of the indices."""
        cached = self.get_seq_length()
        if cached:
            keys, values = self._allocated
            self._memory = keys[indices], values[indices]
            self.keys, self.values = self._memory[0][:, :, :cached], self._memory[1][:, :, :cached]

    def concatenate(self, parts: Sequence[DynamicLayer], tokens: int) -> None:
        """Copies the rows of other layers, one below the other, right-aligned to ``tokens`` tokens.

        The padding is zero: it is masked, but zero times NaN would still be NaN.
        """
        keys, values = ([getattr(part, name) for part in parts] for name in ("keys", "values"))
        self.lazy_initialization(keys[0], values[0])
        memory = []
        for states in (keys, values):
            rows = sum(len(each) for each in states)
            heads, size = states[0].shape[1], states[0].shape[3]
            allocated = states[0].new_zeros((rows, heads, max(self._capacity, tokens), size))
            start = 0
            for each in states:
                allocated[start : start + len(each), :, tokens - each.shape[2] : tokens] = each
                start += len(each)
            memory.append(allocated)
        self._memory = memory[0], memory[1]
        self.keys, self.values = memory[0][:, :, :tokens], memory[1][:, :, :tokens]

    def _allocate(self, tokens: int, cached: int, keys: Tensor, values: Tensor) -> None:
        """Memory for ``tokens`` tokens of the new ones' shape, with the cached ones in it."""
        memory = tuple(new.new_empty((*new.shape[:2], tokens, new.shape[-1])) for new in (keys, values))
        if cached:
            for allocated, old in zip(memory, self._allocated, strict=True):
                allocated[:, :, :cached] = old[:, :, :cached]
        self._memory = memory[0], memory[1]

    @property
    def _allocated(self) -> tuple[Tensor, Tensor]:
        if self._memory is None:
            raise RuntimeError("nothing was cached yet")
        return self._memory


def empty_cache(config: PretrainedConfig, capacity: int) -> DynamicCache:
    """A cache for batches of up to ``capacity`` tokens.

    Layers that keep less than every token, as in models with a sliding window, stay transformers' own; they record
    what they drop, so that a later ``crop`` can bring it back.
    """
    cache = DynamicCache(config=config)
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[index] = PreallocatedLayer(capacity)
        elif isinstance(layer, DynamicSlidingWindowLayer):
            layer.activate_past_recording()
    return cache


def concatenated(config: PretrainedConfig, parts: list[DynamicCache], capacity: int) -> DynamicCache:
    """One cache of all rows of several, right-aligned; the parts are emptied.

    Args:
        parts: of left-padded prompts; a single one is returned as it is.
        capacity: the most tokens that the batch can come to hold.

    Raises:
        TypeError: a layer does not keep every token, see ``keeps_every_token``.
    """
    if len(parts) == 1:
        return parts[0]
    tokens = max(part.get_seq_length() for part in parts)
    whole = empty_cache(config, capacity)
    for index, layer in enumerate(whole.layers):
        if not isinstance(layer, PreallocatedLayer):
            raise TypeError(
                f"{type(layer).__name__} does not keep every token; check keeps_every_token first"
            )
        same = [part.layers[index] for part in parts]
        layer.concatenate([each for each in same if isinstance(each, DynamicLayer)], tokens)
        for part in parts:
            part.layers[index] = DynamicLayer()  # what was copied need not lie in memory twice
    return whole
