"""What an error of a GPU's runtime means, read from its type and words; torch is not imported here.

CUDA reports a fault of the card or of a kernel at some later call, and from then on every call of the process fails:
its context is lost. Running out of memory is the exception, after which the process can go on.
"""

from enum import StrEnum


class GpuError(StrEnum):
    """What went wrong."""

    MEMORY = "out of memory"
    CARD = "card"
    """A fault of the card, the driver or the link: another card may do the same without a fault."""
    CODE = "code"
    """An assertion within a kernel: the same fault comes again on any card."""


MEMORY_WORDS = ("out of memory", "ALLOC_FAILED")
CODE_WORDS = ("device-side assert",)
CARD_WORDS = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "cuDNN error", "NCCL error", "HIP error")
TYPES = ("AcceleratorError", "OutOfMemoryError")
"""Of torch. Older versions raise a plain RuntimeError for all but full memory."""


def gpu_error(error: BaseException) -> GpuError | None:
    """What an error means; None for one that is not of a GPU's runtime."""
    words = str(error)
    kind = type(error).__name__
    if kind == "OutOfMemoryError":
        return GpuError.MEMORY
    if kind not in TYPES and not (kind == "RuntimeError" and any(sign in words for sign in CARD_WORDS)):
        return None
    if any(sign in words for sign in MEMORY_WORDS):
        return GpuError.MEMORY
    return GpuError.CODE if any(sign in words for sign in CODE_WORDS) else GpuError.CARD


def context_is_lost(error: BaseException) -> bool:
    """Whether no call of this process to its GPU can succeed any more."""
    return gpu_error(error) in (GpuError.CARD, GpuError.CODE)
