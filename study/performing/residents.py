"""What a worker keeps between its stages: a model, the files that it has hashed, processes that train with it.

One model only, the last one used: stages are handed to the worker that has theirs, and two may not fit.
"""

import time
from typing import TYPE_CHECKING

from study.artifacts.address import Store
from study.models.devices.placement import Placement
from study.models.hardware import release_memory
from study.models.resident import ON_CPU, Resident
from study.models.tokenizer import Source
from study.planning.chains import VerifiedFiles

if TYPE_CHECKING:
    from study.training.gang.gang import Gang


class Residents:
    """The model that a process keeps in memory between stages, the last one used, and which files it has hashed.

    ``start_up_seconds`` is what passed from the user's command until the process could begin, its first model
    included; None where no command was given.
    """

    def __init__(self, start_up_seconds: float | None = None) -> None:
        self._resident: Resident | None = None
        self._verified: VerifiedFiles | None = None
        self._gang: Gang | None = None
        self.loads = 0
        self.start_up_seconds = start_up_seconds

    def get(self, source: Source, placement: Placement = ON_CPU) -> Resident:
        """The model of a source, so placed; built only when another one is resident, or elsewhere."""
        there = self._resident
        if there is None or there.source.key != source.key or there.placement != placement:
            self._end_gang()
            in_cycles = (
                there is not None and there.placement.is_spread
            )  # accelerate's hooks and their modules
            there = self._resident = None  # frees the old one first: two may not fit
            if in_cycles:
                release_memory()
            began = time.perf_counter()
            there = self._resident = Resident(source, placement)
            if self.start_up_seconds is not None and not self.loads:
                self.start_up_seconds += time.perf_counter() - began
            self.loads += 1
        return there

    def verified(self, store: Store) -> VerifiedFiles:
        """The files of a store whose hashes this process has found."""
        if self._verified is None or self._verified.store is not store:
            self._verified = VerifiedFiles(store)
        return self._verified

    def gang(self, size: int) -> "Gang":
        """This process and others that train the resident model with it; kept like the model.

        Args:
            size: processes, this one included.
        """
        if self._resident is None:
            raise TypeError("there is no model to train")
        there = self._gang
        if there is None or there.ended or there.size != size:
            self._end_gang()
            from study.training.gang.gang import Gang  # a second to import, and most stages need none

            there = self._gang = Gang(self._resident, size)
        return there

    def release(self) -> None:
        """Drops the model, ends those that train with it, and gives back what torch keeps of a GPU's memory."""
        self._end_gang()
        self._resident = None
        release_memory()

    def _end_gang(self) -> None:
        if self._gang is not None:
            self._gang.end()
        self._gang = None
