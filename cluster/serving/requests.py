"""What may stand in a request: closed to keys that nothing here heeds, so that nobody relies on what is not done."""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cluster.serving.errors import RefusedError

Auto = Literal["auto"]
TOKENS = 4096
"""The most new tokens of one answer."""
PROMPTS = 2048
"""The most prompts in one request."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Request = TypeVar("Request", bound=_Request)


class Hyperparameters(_Request):
    """Of a job; ``auto`` and what is absent are the service's choice."""

    n_epochs: int | Auto = "auto"
    batch_size: int | Auto = "auto"
    learning_rate_multiplier: float | int | Auto = "auto"

    @field_validator("n_epochs", "batch_size")
    @classmethod
    def _countable(cls, value: int | str) -> int | str:
        if not isinstance(value, str) and not 1 <= value <= 1000:
            raise ValueError(f"{value}: expected 1 to 1000, or auto")
        return value

    @field_validator("learning_rate_multiplier")
    @classmethod
    def _positive(cls, value: float | str) -> float | str:
        if not isinstance(value, str) and not 1e-6 <= value <= 1e6:
            raise ValueError(f"{value}: expected a number above 0 and up to 1000000, or auto")
        return value


class Supervised(_Request):
    """Within ``method``."""

    hyperparameters: Hyperparameters = Hyperparameters()


class Method(_Request):
    """How a job trains."""

    type: Literal["supervised"]
    supervised: Supervised = Supervised()


class JobRequest(_Request):
    """POST /fine_tuning/jobs."""

    model: str = Field(max_length=512)
    training_file: str = Field(max_length=128)
    method: Method | None = None
    hyperparameters: Hyperparameters | None = None
    suffix: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,64}$")
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    metadata: dict[str, str] | None = None
    validation_file: None = None
    integrations: list[None] | None = Field(default=None, max_length=0)

    @field_validator("metadata")
    @classmethod
    def _sixteen_pairs(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        pairs = value or {}
        if len(pairs) > 16 or any(len(key) > 64 or len(text) > 512 for key, text in pairs.items()):
            raise ValueError("expected at most 16 pairs, keys up to 64 characters and values up to 512")
        return value

    @property
    def sent(self) -> Hyperparameters:
        """The hyperparameters, wherever they stand."""
        return (
            self.method.supervised.hyperparameters
            if self.method
            else self.hyperparameters or Hyperparameters()
        )


class _Answered(_Request):
    """What both kinds of completion have in common. Decoding is greedy."""

    model: str = Field(max_length=512)
    temperature: float | int | None = None
    n: Literal[1] | None = None
    seed: int | None = None
    stop: str | list[str] | None = Field(default=None)
    stream: Literal[False] | None = None
    user: str | None = None
    top_p: Literal[1] | float | None = None

    @field_validator("temperature")
    @classmethod
    def _greedy(cls, value: float | None) -> float | None:
        if value:
            raise ValueError(f"{value}: this service decodes greedily; give 0, or leave it out")
        return value

    @field_validator("stop")
    @classmethod
    def _four_stops(cls, value: str | list[str] | None) -> str | list[str] | None:
        found = [value] if isinstance(value, str) else value or []
        if len(found) > 4 or not all(found):
            raise ValueError("expected up to 4 texts, none of them empty")
        return value

    @property
    def stops(self) -> list[str]:
        """The texts before which an answer ends."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class CompletionRequest(_Answered):
    """POST /completions.

    ``targets`` is this service's own: for each prompt a continuation, of which likelihood and rank are told.
    """

    prompt: str | list[str] | list[int] | list[list[int]]
    max_tokens: int = Field(default=16, ge=0, le=TOKENS)
    echo: bool | None = None
    logprobs: int | None = Field(default=None, ge=0, le=100)
    best_of: Literal[1] | None = None
    suffix: None = None
    targets: list[str] | None = None

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """One each."""
        prompt = self.prompt
        if isinstance(prompt, str):
            return [prompt]
        texts = [each for each in prompt if isinstance(each, str)]
        if texts:
            return texts
        ids = [each for each in prompt if isinstance(each, int)]
        return [ids] if ids else [each for each in prompt if isinstance(each, list)]


class Message(_Request):
    """Of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(_Answered):
    """POST /chat/completions."""

    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(default=None, ge=1, le=TOKENS)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=TOKENS)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)


def parsed(kind: type[Request], fields: Any) -> Request:
    """A request from its JSON.

    Raises:
        RefusedError: names the first key that does not fit.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(each) for each in first["loc"] if isinstance(each, int | str))
        what = "unknown parameter" if first["type"] == "extra_forbidden" else first["msg"]
        raise RefusedError(400, f"{place or 'body'}: {what}", "invalid_value", place or None) from None
