"""Which examples a batch holds: a pure function of (seed, purpose, step), without any global state."""

import random
from functools import lru_cache

from study.identity import derived_seed


@lru_cache(maxsize=64)
def _epoch_order(size: int, seed: int, purpose: str, epoch: int) -> tuple[int, ...]:
    order = list(range(size))
    random.Random(derived_seed(seed, purpose, "order", epoch)).shuffle(order)
    return tuple(order)


def batch_indices(size: int, batch_size: int, seed: int, purpose: str, step: int) -> list[int]:
    """Indices of the examples of one step (from 0): whole shuffled epochs, one after the other.

    A batch continues from the end of an epoch into the next, so that every step has ``batch_size`` examples
    and the order does not depend on the last step.
    """
    positions = range(step * batch_size, (step + 1) * batch_size)
    return [_epoch_order(size, seed, purpose, position // size)[position % size] for position in positions]
