"""Scenarios: what is unlearned, relearned and asked. One small file each, and the table that names them.

A scenario is a frozen set of parameters, all of which bear identity, that builds its ``Material``. A new
scenario is a new file with such a class, and a line in ``SCENARIOS``.
"""

from typing import Protocol, runtime_checkable

from study.scenarios.names import Names
from study.scenarios.tofu import Tofu
from study.scenarios.whp_keyword import WhpKeyword
from study.scenarios.whp_verbatim import WhpVerbatim
from study.scenarios.wmdp import Wmdp
from study.settings.part import Part
from study.text import Material


@runtime_checkable
class Scenario(Protocol):
    """A plug point."""

    name: str

    def corpora(self) -> tuple[str, ...]:
        """The names of its relearn corpora."""
        ...

    def metrics(self) -> tuple[str, ...]:
        """Which scorers of ``study.evaluation.scorers`` its answers get."""
        ...

    def inputs(self) -> dict[str, str]:
        """SHA-256 of the user's files and published data it reads; a study that goes on expects the same."""
        ...

    def material(self, repetitions: int) -> Material:
        """Everything for one repetition count.

        Raises:
            SpecError: the count is impossible, or the user's data cannot be used.
        """
        ...


SCENARIOS: dict[str, type[Part]] = {
    "names": Names,
    "tofu": Tofu,
    "whp-keyword": WhpKeyword,
    "wmdp": Wmdp,
    "whp-verbatim": WhpVerbatim,
}
