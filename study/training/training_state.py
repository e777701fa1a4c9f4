"""What a trajectory needs to go on from its middle: the trained weights and the optimiser's moments.

The rest is a pure function of (seed, purpose, step), so it is computed again: the order of the data, dropout,
the learning rate. What is frozen (a reference, a helper, the weights under an adapter) comes from the parent.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

State = dict[str, torch.Tensor]


@dataclass
class Progress:
    """What a trajectory has cost so far."""

    steps: int = 0
    loss_tokens: int = 0


@dataclass(frozen=True)
class Resumption:
    """How a trajectory leaves states behind, and where it goes on.

    Attributes:
        every: optimiser steps between two states; None leaves none.
        save: keeps a state; must not change the weights.
        middle: where to go on; None begins at step 0.
    """

    every: int | None
    save: Callable[[Progress, State], None]
    middle: tuple[Progress, State] | None


_WEIGHT = "weight"


def training_state(model: torch.nn.Module, adamw: torch.optim.Optimizer) -> State:
    """``weight/NAME``, and ``exp_avg/NAME`` and its like for each moment; tensors shared with the model."""
    state: State = {}
    for name, parameter in _trained(model):
        state[f"{_WEIGHT}/{name}"] = parameter.detach()
        for moment, value in adamw.state.get(parameter, {}).items():
            state[f"{moment}/{name}"] = value
    return state


def restore(model: torch.nn.Module, adamw: torch.optim.Optimizer, state: Mapping[str, torch.Tensor]) -> None:
    """Puts a state back, to the bit.

    Raises:
        KeyError: the state is that of another model.
    """
    moments: dict[str, State] = {}
    for name, value in state.items():
        moment, _, parameter_name = name.partition("/")
        moments.setdefault(parameter_name, {})[moment] = value
    for name, parameter in _trained(model):
        of_parameter = moments.pop(name)
        with torch.no_grad():
            parameter.copy_(of_parameter.pop(_WEIGHT))
        if of_parameter:
            # Cloned: a mapped file aligns tensors otherwise than torch does, and sums could differ for it.
            adamw.state[parameter] = {
                moment: value.to(parameter.device).clone() for moment, value in of_parameter.items()
            }
    if moments:
        raise KeyError(f"the state has weights that are not trained: {', '.join(sorted(moments))}")


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, each) for name, each in model.named_parameters() if each.requires_grad)
