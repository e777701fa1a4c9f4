"""B2: B1 with hand-written prefix checkpoints on disk: who first needs a finetuned or unlearned model makes it.

python -m benchmarks.arms.b2_prefixes TASK
"""

import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.arms.b1_reused import ReusedActor, run
from benchmarks.arms.task import Task

LOOK_SECONDS = 0.02


class PrefixActor(ReusedActor):
    """Starts each relearning from weights that lie on disk, made once under a name."""

    def to_unlearned(self, pipeline: Any) -> None:
        """From the pretrained model to the unlearned one, over what is there."""
        finetuned = f"r{self.cell['repetitions']}-s{self.cell['seed']}"

        def unlearn() -> None:
            self.prefix(finetuned, pipeline.finetune)
            pipeline.unlearn()

        self.prefix(f"{finetuned}-d{self.cell['depth']}", unlearn)

    def prefix(self, name: str, make: Callable[[], None]) -> None:
        """The model at a prefix: read, or made and kept, or waited for while another makes it."""
        folder = self.task.folder / "prefixes"
        folder.mkdir(exist_ok=True)
        weights, claim = folder / f"{name}.safetensors", folder / f"{name}.claimed"
        if not weights.exists():
            try:
                os.close(os.open(claim, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                while not weights.exists():
                    time.sleep(LOOK_SECONDS)
            else:
                make()
                pending = folder / f".{name}"
                self.resident.save(pending)
                pending.replace(weights)
                return
        self.resident.load(weights)


if __name__ == "__main__":
    run(PrefixActor, Task.from_command_line())
