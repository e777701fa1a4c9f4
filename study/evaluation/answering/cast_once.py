"""Linear weights in bfloat16 for as long as a model in mixed precision is evaluated.

Autocast casts a weight at every use; it remembers casts only of weights that are trained. Decoding uses every weight
for every token. The casts made once are the same, so the answers are, to the bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from study.models.resident import Resident


@contextmanager
def cast_once(resident: Resident) -> Iterator[None]:
    """In the block each linear layer of a model in mixed precision computes with its cast weight."""
    layers = [
        module
        for module in resident.model.modules()
        if isinstance(module, torch.nn.Linear) and resident.source.precision == "mixed"
    ]
    kept = [layer.weight for layer in layers]
    try:
        for layer in layers:
            layer.weight = torch.nn.Parameter(layer.weight.to(torch.bfloat16), requires_grad=False)
        yield
    finally:
        for layer, weight in zip(layers, kept, strict=True):
            layer.weight = weight
