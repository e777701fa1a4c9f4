"""The machines that a file asks for, and whether the stages of a study fit them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from study.errors import PreflightError, SpecError, counted
from study.planning.plan import Plan

LONGEST_HOURS = 24 * 60
MOST_NODES = 100_000
MOST_CPUS = 10_000
MOST_GPUS = 1_000


@dataclass(frozen=True)
class Machines:
    """Equal machines.

    Attributes:
        nodes: how many.
        cpus, gpus: of each.
        gpu_kind: as the provider names it, e.g. ``A100``; None: any.
        hours: for which they are asked.
        image: of a container that has relearn's libraries.
    """

    nodes: int
    cpus: int
    gpus: int
    gpu_kind: str | None
    hours: float
    image: str

    def check(self, plan: Plan) -> None:
        """Refuses machines that nobody has, or on which a stage does not fit.

        Raises:
            SpecError: a number is out of its range.
            PreflightError: a kind of stage needs more than one machine has.
        """
        for words in self._out_of_range():
            raise SpecError(words)
        for kind in sorted({stage.kind for stage in plan.stages.values()}):
            needs = plan.spec.execution.resources(kind)
            for name, needed, there in (("CPUs", needs.cores, self.cpus), ("GPUs", needs.gpus, self.gpus)):
                if needed > there:
                    raise PreflightError(
                        f"a stage of kind {kind} needs {needed:g} {name}, and a machine has {there}: give more with "
                        f"--{name.lower()}, or lower execution.{name.lower()} with --set"
                    )

    def slots(self, plan: Plan) -> int:
        """How many stages of the kind that needs least run at once."""
        kinds = {stage.kind for stage in plan.stages.values()}
        needs = [plan.spec.execution.resources(kind) for kind in kinds]
        return self.nodes * max(
            min(self.cpus // each.cores, int(self.gpus / each.gpus) if each.gpus else self.cpus // each.cores)
            for each in needs
        )

    def in_words(self, plan: Plan, price: float | None) -> str:
        """What they give and may cost at most, in a line.

        Args:
            price: of one of them for an hour.
        """
        hours = self.nodes * self.hours
        at_once, machines = counted(self.slots(plan), "stage"), counted(self.nodes, "machine")
        words = f"{at_once} at once on {machines}, {counted(round(hours), 'machine-hour')} at most"
        return words if price is None else f"{words}, {hours * price:,.2f} at {price:g} for a machine-hour"

    def _out_of_range(self) -> Iterator[str]:
        if not 1 <= self.nodes <= MOST_NODES:
            yield f"--nodes {self.nodes}: expected at least 1, and at most {MOST_NODES:,}"
        if not 1 <= self.cpus <= MOST_CPUS:
            yield f"--cpus {self.cpus}: expected at least 1, and at most {MOST_CPUS:,}, of each machine"
        if not 0 <= self.gpus <= MOST_GPUS:
            yield f"--gpus {self.gpus}: expected 0 or more, and at most {MOST_GPUS:,}, of each machine"
        if not 0 < self.hours <= LONGEST_HOURS:
            yield f"--hours {self.hours:g}: expected more than 0 and at most {LONGEST_HOURS}"
        if self.gpu_kind is not None and not re.fullmatch(r"[\w.-]+", self.gpu_kind):
            yield f"--gpu-kind {self.gpu_kind}: expected a name such as A100 or H100"
        if not re.fullmatch(r"[\w./:@-]+", self.image):
            yield f"--image {self.image}: expected the name of a container image"
