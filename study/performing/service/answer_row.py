"""One answer of a service as a row of ``answers_file``: what cannot be is refused here, and not recorded."""

import math
from typing import Any

from study.performing.service.errors import ServiceRefusedError
from study.text.examples import Probe

NOISE = 1e-3
"""What rounding may leave below 0 in a negative log-likelihood."""
MOST = 2**31 - 1
"""Of a rank, or of tokens."""


def answer_row(
    probe: Probe, text: Any, nll: Any = None, rank: Any = None, tokens: Any = None
) -> dict[str, Any]:
    """The row of a probe.

    Args:
        nll: of the target, in nats; None where the service does not tell it, as with the others.
        rank: of the target, from 1.
        tokens: of the target.

    Raises:
        ServiceRefusedError: one of them is of another kind, or outside what it can be.
    """
    if not isinstance(text, str) or any("\ud800" <= each <= "\udfff" for each in text):
        raise ServiceRefusedError(f"the service gave {text!r:.80} in place of a text")
    if nll is not None and not (_is_number(nll) and math.isfinite(nll) and nll >= -NOISE):
        raise ServiceRefusedError(f"the service gave a target the negative log-likelihood {nll!r:.80}")
    for name, value in (("rank", rank), ("number of tokens", tokens)):
        if value is not None and not (_is_number(value) and isinstance(value, int) and 1 <= value <= MOST):
            raise ServiceRefusedError(f"the service gave a target the {name} {value!r:.80}")
    return {
        "probe": probe.name,
        "completion": text,
        "target_nll": nll,
        "target_rank": rank,
        "target_tokens": tokens,
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
