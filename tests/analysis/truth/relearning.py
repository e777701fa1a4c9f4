"""One relearning of one seed, and what follows from its scores: plain means, no interval but Wilson's."""

from dataclasses import dataclass
from statistics import fmean

RELEARNING = ("model", "method", "repetitions", "depth", "corpus", "seed")


@dataclass(eq=False)
class Relearning:
    """One relearning of one seed, from its first step to its last."""

    model: str
    method: str
    repetitions: int
    depth: int
    corpus: str
    seed: int
    steps: dict[int, float]
    control: dict[int, float | None]
    kinds: dict[int, str]
    net: dict[int, float | None]
    known: bool | None
    forgotten: bool | None
    intact: bool | None
    kept: float | None
    kept_at_last: float | None
    original: float | None
    before: float | None
    queries: float
    benign: bool

    @property
    def counts(self) -> bool:
        return bool(self.known) and bool(self.forgotten)

    @property
    def last(self) -> int:
        return max(self.steps)

    def floor(self, step: int) -> float:
        """What stood before, or what the control answers, whichever is more."""
        return max(self.control[step] or 0.0, self.before or 0.0)

    def gain(self, step: int) -> float:
        """What came back: the score above both."""
        return self.steps[step] - self.floor(step)


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's interval of 95%; n need not be whole."""
    z = 1.959963984540054
    middle = (share + z * z / 2 / n) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / 4 / n / n) ** 0.5
    return (0.0 if share == 0 else middle - half), (1.0 if share == 1 else middle + half)


def over_seeds(values: list[tuple[int, float]]) -> float:
    """The mean over seeds of each seed's mean."""
    return fmean(fmean(value for at, value in values if at == seed) for seed in {at for at, _ in values})
