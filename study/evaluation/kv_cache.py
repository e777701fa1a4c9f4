"""Keys and values of a batch while it is asked: written in place, so that a new token copies nothing.

Transformers' own cache joins old and new anew for each token. Here a layer's memory is taken once, as long as the batch
can become, and what is handed out is a view.
"""

from collections.abc import Sequence

from torch import Tensor
from transformers import DynamicCache, PretrainedConfig
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer


class RoomyLayer(DynamicLayer):
    """Keys and values of one layer, (rows, heads, tokens, head size), in memory for ``room`` tokens."""

    def __init__(self, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room = room
        self._memory: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Writes the new tokens behind those that are there, and returns all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        there = self.get_seq_length()
        end = there + key_states.shape[-2]
        if self._memory is None or end > self._memory[0].shape[-2]:
            self._take(max(end, self._room), there, key_states, value_states)
        keys, values = self._the_memory
        keys[:, :, there:end] = key_states
        values[:, :, there:end] = value_states
        self.keys, self.values = keys[:, :, :end], values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps some rows of the batch, in their order."""
        there = self.get_seq_length()
        if there:
            keys, values = self._the_memory
            self._memory = keys[indices], values[indices]
            self.keys, self.values = self._memory[0][:, :, :there], self._memory[1][:, :, :there]

    def join(self, parts: Sequence[DynamicLayer], tokens: int) -> None:
        """Takes over the rows of other layers, one below the other, aligned on the right in ``tokens`` places.

        What is left free is zero: it is masked, but not a number times zero would still be not a number.
        """
        keys, values = ([getattr(part, name) for part in parts] for name in ("keys", "values"))
        self.lazy_initialization(keys[0], values[0])
        memory = []
        for all_of in (keys, values):
            rows = sum(len(each) for each in all_of)
            heads, size = all_of[0].shape[1], all_of[0].shape[3]
            place = all_of[0].new_zeros((rows, heads, max(self._room, tokens), size))
            start = 0
            for each in all_of:
                place[start : start + len(each), :, tokens - each.shape[2] : tokens] = each
                start += len(each)
            memory.append(place)
        self._memory = memory[0], memory[1]
        self.keys, self.values = memory[0][:, :, :tokens], memory[1][:, :, :tokens]

    def _take(self, tokens: int, there: int, keys: Tensor, values: Tensor) -> None:
        """Memory for so many tokens of the new ones' shape, with what is there already."""
        memory = tuple(new.new_empty((*new.shape[:2], tokens, new.shape[-1])) for new in (keys, values))
        if there:
            for place, old in zip(memory, self._the_memory, strict=True):
                place[:, :, :there] = old[:, :, :there]
        self._memory = memory[0], memory[1]

    @property
    def _the_memory(self) -> tuple[Tensor, Tensor]:
        if self._memory is None:
            raise RuntimeError("nothing was cached yet")
        return self._memory


def cache_for(config: PretrainedConfig, room: int) -> DynamicCache:
    """An empty cache for batches of up to ``room`` tokens.

    Layers that keep less than everything, as in models with a sliding window, stay transformers' own; they are told
    to remember what a later ``crop`` brings back.
    """
    cache = DynamicCache(config=config)
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[index] = RoomyLayer(room)
        elif isinstance(layer, DynamicSlidingWindowLayer):
            layer.activate_past_recording()
    return cache


def joins(config: PretrainedConfig) -> bool:
    """Whether caches of this model can be joined: every layer keeps every token."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def joined(config: PretrainedConfig, parts: list[DynamicCache], room: int) -> DynamicCache:
    """One cache of all rows of several, aligned on the right; the parts are used up.

    Args:
        parts: of prompts that were padded on the left; a single one is returned as it is.
        room: tokens that a batch can become.
    """
    if len(parts) == 1:
        return parts[0]
    tokens = max(part.get_seq_length() for part in parts)
    whole = cache_for(config, room)
    for index, layer in enumerate(whole.layers):
        if not isinstance(layer, RoomyLayer):
            raise TypeError(f"{type(layer).__name__} cannot be joined; ask `joins` first")
        layer.join([each for part in parts if isinstance(each := part.layers[index], DynamicLayer)], tokens)
        for part in parts:
            part.layers[index] = DynamicLayer()  # what was copied need not lie in memory twice
    return whole
