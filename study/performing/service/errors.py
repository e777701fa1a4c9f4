"""How a service ends a stage."""

from study.errors import RelearnError


class ServiceRefusedError(RelearnError):
    """The service said no: to a text, a job or a question. That is a result of the study."""


class ServiceSilentError(RelearnError):
    """The service did not answer, however often it was asked; it may later."""


class MissingCheckpointError(RelearnError):
    """The job has no checkpoint at a step that the study asks for."""
