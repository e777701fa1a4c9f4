"""Scenarios: what is unlearned, relearned and queried. One small file each, and the table that names them.

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
from study.text.examples import Material


@runtime_checkable
class Scenario(Protocol):
    """The plug point of the scenarios."""

    name: str

    def corpora(self) -> tuple[str, ...]:
        """The names of its relearn corpora, in the order of ``Material.relearn``."""
        ...

    def metrics(self) -> tuple[str, ...]:
        """The names of the scorers in ``study.evaluation.scorers`` that its answers get."""
        ...

    def inputs(self) -> dict[str, str]:
        """SHA-256 (hex) of each file and data set that it reads, by its name in the spec; resuming compares them."""
        ...

    def material(self, repetitions: int) -> Material:
        """All texts for one repetition count: a pure function of the parameters, the files and the count.

        Raises:
            SpecError: the count is impossible, or the user's data cannot be used.
            PreflightError: a file or data set is missing.
        """
        ...


SCENARIOS: dict[str, type[Part]] = {
    "names": Names,
    "tofu": Tofu,
    "whp-keyword": WhpKeyword,
    "wmdp": Wmdp,
    "whp-verbatim": WhpVerbatim,
}
