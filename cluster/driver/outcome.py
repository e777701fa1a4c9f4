"""How a run ended."""

from dataclasses import dataclass, replace

INTERRUPTED = 130


@dataclass(frozen=True)
class Outcome:
    """Counts of one round, or of all rounds of a run. Stage counts add up to the plan's."""

    stages: int
    stages_done: int
    stages_run: int
    stages_failed: int
    stages_unreachable: int
    cells: int
    cells_recorded: int
    train_steps: int
    evaluations: int
    wall_seconds: float
    interrupted: bool

    @property
    def exit_code(self) -> int:
        """0 all cells accepted, 1 some failed, 130 interrupted."""
        if self.interrupted:
            return INTERRUPTED
        return 0 if self.cells_recorded == self.cells else 1

    def after(self, before: "Outcome | None") -> "Outcome":
        """With what the rounds before it took."""
        if before is None:
            return self
        return replace(
            self,
            stages_run=self.stages_run + before.stages_run,
            train_steps=self.train_steps + before.train_steps,
            evaluations=self.evaluations + before.evaluations,
            wall_seconds=self.wall_seconds + before.wall_seconds,
        )
