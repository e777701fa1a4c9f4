"""Which model a study begins with, and how it decodes."""

from pydantic import Field, PositiveInt, model_validator

from study.settings.optimiser import Optimiser, Training
from study.settings.part import Part


class Architecture(Part):
    """Shape of the embedded Llama."""

    layers: PositiveInt = 4
    width: PositiveInt = 128
    heads: PositiveInt = 4
    context: PositiveInt = 128

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "Architecture":
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(
                f"width {self.width} over {self.heads} heads: expected an even width for each head"
            )
        return self


class EmbeddedModel(Part):
    """The model that needs no download: a small Llama trained from scratch on the scenario's own text."""

    architecture: Architecture = Architecture()
    pretraining: Training = Training(steps=300, optimiser=Optimiser(learning_rate=1e-3, batch_size=32))


class GivenCheckpoints(Part):
    """A series of unlearned models that somebody else made, attacked without repeating their unlearning.

    Attributes:
        at: depth → model folder or hub id, full weights or an adapter.
        method: what stands in the rows as the method that made them.
    """

    at: dict[PositiveInt, str] = Field(min_length=1)
    method: str = Field(default="given", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


class Generation(Part):
    """Greedy decoding of a continuation."""

    max_new_tokens: PositiveInt = 20
