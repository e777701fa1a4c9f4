"""Which nodes are left out: one where no GPU can be used at once, one with sick cards after two faults.

A worker that meets such a fault leaves it in ``Attempts``, with the node that it was on.
"""

from cluster.study_folder.failures import Cause
from cluster.worker.attempts import Interruption

FAULTS_UNTIL_LEFT_OUT = {Cause.NO_GPU: 1, Cause.SICK_CARD: 2}
"""How many attempts a node may spoil by each cause; no other cause is the node's."""


class SickNodes:
    """The faults of each node in this run."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, Cause], int] = {}

    def left_out_after(self, fault: Interruption) -> str | None:
        """Counts a fault; the node's name and why in words, where it is to be left out from now on."""
        cause = fault.failure.cause
        most = FAULTS_UNTIL_LEFT_OUT.get(cause)
        if most is None:
            return None
        of_node = (fault.node, cause)
        self._faults[of_node] = self._faults.get(of_node, 0) + 1
        if self._faults[of_node] != most:
            return None
        return f"{fault.node_name} ({cause.value}: {fault.failure.message})"
