"""The base of everything a user may configure: frozen, closed to keys it does not know, and always validated.

Defaults and changed copies are validated like what a user types, so that a value has one form (a float that is
given as ``0`` is ``0.0``) however it came to be: the key of what runs is the key of what is written down.
``study.identity`` refuses a value for which that does not hold.
"""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A validated piece of a spec. All of its fields bear identity, unless it is ``Execution``."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed, validated as a whole (pydantic's own is not).

        Raises:
            ValidationError: the changed values do not fit.
        """
        del deep  # frozen values need no deep copy
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **(update or {})})
