"""The base of everything a user may configure: frozen, and closed to keys it does not know."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A validated piece of a spec. All of its fields bear identity, unless it is ``Execution``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
