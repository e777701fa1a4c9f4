"""How the pieces of a batch are dealt to the processes that train together."""

from dataclasses import dataclass

from study.identity import derived_seed
from study.planning.stages import Trajectory


@dataclass(frozen=True)
class Share:
    """Which pieces of a batch are this process's: the ``rank``-th of ``of``, and every ``of``-th after it."""

    rank: int = 0
    of: int = 1

    def piece(self, batch_size: int, micro_batch: int) -> int:
        """Sequences of a piece: at most ``micro_batch``, so many that every process has as many pieces.

        Raises:
            ValueError: the processes cannot have as many sequences each.
        """
        if self.of == 1:
            return micro_batch
        each, over = divmod(batch_size, self.of)
        if over:
            raise ValueError(
                f"a batch of {batch_size} sequences cannot be dealt to {self.of} processes alike"
            )
        return next(size for size in range(min(each, micro_batch), 0, -1) if each % size == 0)

    def dropout_seed(self, trajectory: Trajectory, step: int) -> int:
        """Of the masks that a model with dropout draws in a step: other ones in each process."""
        others = () if self.rank == 0 else (self.rank,)
        return derived_seed(trajectory.seed, trajectory.kind, "dropout", step, *others)
