"""The base of everything a user may configure: frozen, closed to keys it does not know, and always validated.

Defaults and changed copies are validated like what a user types, so that a value has one form (a float that is
given as ``0`` is ``0.0``) however it came to be: the key of what runs is the key of what is written down.
``study.identity`` refuses a value for which that does not hold.

A truth value is no number here, though it is one to Python; a number is finite, and one that 64 bits (a whole number)
or float32 (any other) hold; a text can be written as UTF-8.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

MOST = 2**63
"""Above every whole number."""
LEAST_FLOAT, MOST_FLOAT = 1.18e-38, 3.4e38
"""What is nearer to 0 is 0 in float32, and what is greater is infinite."""


class Part(BaseModel):
    """A validated piece of a spec. All of its fields bear identity, unless it is ``Execution``."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_it_stands(cls, value: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[info.field_name or ""].annotation
        for each in _leaves(value):
            if isinstance(each, bool) and bool not in (kind, *get_args(kind)):
                raise ValueError(
                    f"got the truth value {str(each).lower()}; give a number or a text (true, yes and on are truth "
                    "values in YAML, and so are false, no and off: a text of that name stands in quotes)"
                )
            if isinstance(each, int) and abs(each) >= MOST:
                raise ValueError(
                    f"expected a whole number less than 2**63, got one of {len(str(abs(each)))} digits"
                )
            if isinstance(each, float) and each and not LEAST_FLOAT <= abs(each) <= MOST_FLOAT:
                raise ValueError(
                    f"expected a finite number from {LEAST_FLOAT} to {MOST_FLOAT:g}, which float32 holds, got {each}"
                )
            if isinstance(each, str) and not _is_utf8(each):
                raise ValueError(
                    f"{each!r} holds what is no text (half of a character, or bytes that are not UTF-8)"
                )
        return value

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed, validated as a whole (pydantic's own is not).

        Raises:
            ValidationError: the changed values do not fit.
        """
        del deep  # frozen values need no deep copy
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **(update or {})})


def _leaves(value: Any) -> Iterable[Any]:
    """A value, or what a list or mapping holds; a part within it is validated by itself."""
    if isinstance(value, Mapping):
        return [*value, *value.values()] if all(isinstance(each, str) for each in value.values()) else value
    return value if isinstance(value, list | tuple) else (value,)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
