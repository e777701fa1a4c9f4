"""Keys and values of a batch while it is asked: written in place, so that a new token copies nothing.

Transformers' own cache joins old and new anew for each token. Here a layer's memory is taken once, as long as the batch
can become, and what is handed out is a view.
"""

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
