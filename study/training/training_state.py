"""What a trajectory needs to continue from a step: the trained weights and the optimiser's moments.

The rest is a pure function of (seed, purpose, step), so it is computed again: the order of the data, dropout,
the learning rate. What is frozen (a reference, a helper, the weights under an adapter) comes from the parent.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch

State = dict[str, torch.Tensor]


@dataclass
class Progress:
    """How far a trajectory has come: optimiser steps, and the loss tokens they saw."""

    steps: int = 0
    loss_tokens: int = 0


@dataclass(frozen=True)
class Resumption:
    """How a trajectory saves training states, and from which it continues.

    Attributes:
        every: optimiser steps between two states; None saves none.
        save: stores a state; must not change the weights.
        middle: the state to continue from; None begins at step 0.
    """

    every: int | None
    save: Callable[[Progress, State], None]
    middle: tuple[Progress, State] | None


STATE_BYTES_A_SECOND = 200e6
"""What writing a state is taken to do until one was written: fetched from the device, hashed and written."""


class StateBudget:
    """Whether a state is worth its time: a large model's takes minutes, where a hundred steps take half of one.

    Args:
        share: of the time of training that states may take together; None: any.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._spent = 0.0
        self._last: float | None = None

    def allows(self, state: State, trained_seconds: float) -> bool:
        """Whether one more state keeps within the share of what this attempt has trained so far."""
        if self._share is None:
            return True
        size = sum(value.numel() * value.element_size() for value in state.values())
        expected = size / STATE_BYTES_A_SECOND if self._last is None else self._last
        return self._spent + expected <= self._share * trained_seconds

    def took(self, seconds: float) -> None:
        """Notes what a state took."""
        self._spent += seconds
        self._last = seconds


WEIGHT = "weight"
"""What the weights themselves are called, beside their moments."""


def training_state(model: torch.nn.Module, adamw: torch.optim.Optimizer) -> State:
    """``weight/NAME``, and ``exp_avg/NAME`` and its like for each moment; tensors shared with the model."""
    state: State = {}
    for name, parameter in _trained(model):
        state[f"{WEIGHT}/{name}"] = parameter.detach()
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
            parameter.copy_(of_parameter.pop(WEIGHT))
        if of_parameter:
            # Cloned: a memory-mapped file aligns tensors differently from torch, which can change the bits of sums.
            adamw.state[parameter] = {
                moment: value.to(parameter.device).clone() for moment, value in of_parameter.items()
            }
    if moments:
        raise KeyError(f"the state has weights that are not trained: {', '.join(sorted(moments))}")


def _trained(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return ((name, each) for name, each in model.named_parameters() if each.requires_grad)
