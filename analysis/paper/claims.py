"""The paper's claims, each as a rule on the rows: one contrast with its interval, and whether the claim holds.

A claim holds where the interval lies wholly on its side, does not hold where it lies wholly on the other side, and
cannot be told otherwise. There is deliberately no verdict by counting cells: where nothing differs, it said "yes" in
36–52% of simulated studies.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.paper.claim_cells import NOTHING, ClaimCells, NotRunError
from analysis.statistics.intervals import Estimate

SHALLOW = 0.7
"""The score that relearning reaches where unlearning is shallow."""
NEVER = 0.02
"""The score up to which a model counts as one that never learned."""
MANY_STEPS = 40
"""Relearn steps after which the paper sees the score fall."""


@dataclass(frozen=True)
class Verdict:
    """What a study says of a claim.

    Attributes:
        statement: the claim, and what ``found`` is.
        found: NaN where the cells are not there.
        unit: ``rate``, or ``points`` between two rates.
        holds: None where it cannot be told.
        words: from which cells, or why there is no verdict.
    """

    statement: str
    found: Estimate
    unit: str
    holds: bool | None
    words: str


@dataclass(frozen=True)
class Claim:
    """A statement that a number is above a bound.

    Attributes:
        read: the number and the cells that it is from, in words.
        above: the bound; the claim is "at most" it where ``at_most``.
    """

    statement: str
    read: Callable[[ClaimCells], tuple[Estimate, str]]
    above: float = 0.0
    at_most: bool = False
    unit: str = "points"

    def verdict(self, cells: ClaimCells) -> Verdict:
        """What the cells of a study say."""
        try:
            found, words = self.read(cells)
        except NotRunError as reason:
            return Verdict(self.statement, NOTHING, self.unit, None, str(reason))
        if np.isnan(found.value):
            return Verdict(self.statement, found, self.unit, None, f"{words}: not computed or not scored yet")
        if (
            self.at_most and found.value == 0
        ):  # as low as probes can show, though their interval reaches further
            return Verdict(self.statement, found, self.unit, True, f"{words}: none answered")
        above = True if found.low > self.above else False if found.high < self.above else None
        if above is None:
            words = f"{words}; the interval holds both"
        return Verdict(self.statement, found, self.unit, above if not self.at_most else _not(above), words)


def _not(above: bool | None) -> bool | None:
    return None if above is None else not above


def _shallow(cells: ClaimCells) -> tuple[Estimate, str]:
    chosen = cells.chosen()
    words = f"{chosen.method}, depth {chosen.depths[0]}, {chosen.corpus}, {cells.last} steps"
    return cells.rate(cells.cell(chosen)), words


def _rises(cells: ClaimCells) -> tuple[Estimate, str]:
    chosen = cells.chosen()
    found = cells.contrast(cells.cell(chosen), cells.cell(chosen, relearn_steps=0))
    return found, f"{chosen.method}, depth {chosen.depths[0]}, {chosen.corpus}"


def _depth(cells: ClaimCells) -> tuple[Estimate, str]:
    chosen = cells.chosen()
    first, last = chosen.depths[0], chosen.depths[-1]
    if first == last:
        raise NotRunError(f"one depth counts as unlearned ({first})")
    found = cells.contrast(cells.cell(chosen), cells.cell(chosen, depth=last))
    return found, f"{chosen.method}, depth {first} − {last}, {chosen.corpus}"


def _repetitions(cells: ClaimCells) -> tuple[Estimate, str]:
    chosen = cells.chosen()
    most, fewest = cells.repetitions[0], cells.repetitions[-1]
    if most == fewest:
        raise NotRunError("one repetition count was run")
    shared = [depth for depth in chosen.depths if depth in cells.depths(chosen.method, fewest)]
    if not shared:
        raise NotRunError(f"no depth counts as unlearned at {most} and at {fewest} repetitions")
    one = cells.cell(chosen, depth=shared[0])
    found = cells.contrast(one, {**one, "repetitions": fewest})
    return found, f"{chosen.method}, depth {shared[0]}, {chosen.corpus}, {most} − {fewest} repetitions"


def _relevance(cells: ClaimCells) -> tuple[Estimate, str]:
    chosen = cells.chosen()
    if "gibberish" not in cells.corpora or chosen.corpus == "gibberish":
        raise NotRunError("gibberish, or a corpus beside it, was not run")
    found = cells.contrast(cells.cell(chosen), cells.cell(chosen, corpus="gibberish"))
    return found, f"{chosen.method}, depth {chosen.depths[0]}, {chosen.corpus} − gibberish"


def _past_forty(cells: ClaimCells) -> tuple[Estimate, str]:
    chosen = cells.chosen()
    steps = [step for step in cells.steps(cells.cell(chosen)) if step <= MANY_STEPS]
    if cells.last <= MANY_STEPS or len(steps) < 2:
        raise NotRunError(f"no step past {MANY_STEPS} was run")
    found = cells.contrast(cells.cell(chosen, relearn_steps=steps[-1]), cells.cell(chosen))
    words = f"{chosen.method}, depth {chosen.depths[0]}, {chosen.corpus}, steps {steps[-1]} − {cells.last}"
    return found, words


def _control(cells: ClaimCells) -> tuple[Estimate, str]:
    if not cells.has_control:
        raise NotRunError("no control that never learned was run")
    corpus = cells.corpora[0]
    cell = {"start": "never_learned", "corpus": corpus, "relearn_steps": cells.last}
    found = cells.rate({**cell, "repetitions": cells.repetitions[0]} if cells.repetitions else cell)
    return found, f"{corpus}, {cells.last} steps"


CLAIMS = {
    "repetitions": Claim(
        "the more a pair was repeated, the more comes back: most repetitions minus fewest", _repetitions
    ),
    "relevance": Claim("correlated text recovers more than gibberish: difference", _relevance),
    "depth": Claim("deeper unlearning is harder to undo: shallowest unlearned depth minus deepest", _depth),
    "shallow": Claim(
        "where unlearning is shallow, relearning gives above 70%", _shallow, SHALLOW, unit="rate"
    ),
    "past_forty": Claim(
        f"past {MANY_STEPS} steps more relearning lowers it: at {MANY_STEPS} or before minus at the last step",
        _past_forty,
    ),
    "control": Claim(
        f"a model that never learned D stays at 0% ({100 * NEVER:.0f}% here) on the same corpus",
        _control,
        NEVER,
        at_most=True,
        unit="rate",
    ),
    "rises": Claim("relearning raises the score: after minus before", _rises),
}
"""By the names that ``analysis.paper.published`` gives them."""
