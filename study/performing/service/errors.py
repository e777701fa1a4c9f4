"""How a service ends a stage."""

from collections.abc import Iterator
from contextlib import contextmanager

from study.errors import RelearnError


class ServiceRefusedError(RelearnError):
    """The service said no: to a text, a job or a question. That is a result of the study."""


class ServiceSilentError(RelearnError):
    """The service did not answer, however often it was asked; it may later."""


class MissingCheckpointError(RelearnError):
    """The job has no checkpoint at a step that the study asks for."""


@contextmanager
def shape_expected(what: str) -> Iterator[None]:
    """What is read in the block is a service's answer: of another shape, it is the cause that is named."""
    try:
        yield
    except RelearnError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        IndexError,
        KeyError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ServiceRefusedError(
            f"the service's answer has another shape than {what} ({type(error).__name__}: {error})"[:500]
        ) from error
