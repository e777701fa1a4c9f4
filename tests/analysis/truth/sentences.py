"""A sentence of the report held against the rows: it is of one of the kinds known here, and its numbers are true."""

import re
from collections.abc import Callable
from typing import Any

from tests.analysis.truth import claims, controls, counted
from tests.analysis.truth.relearning import Relearning
from tests.analysis.truth.rows import Truth


def check(truth: Truth, sentence: str) -> None:
    """Holds one sentence against the rows.

    Raises:
        AssertionError: a number is not that of the rows, or the sentence is of no kind that is known here.
    """
    relearnings = truth.relearnings
    groups = {f"{each.model}, {each.method}: " for each in relearnings}
    whose = next((group for group in groups if sentence.startswith(group)), "")
    mine = (
        [each for each in relearnings if f"{each.model}, {each.method}: " == whose] if whose else relearnings
    )
    plain = sentence.removeprefix(whose)
    if not whose and len(groups) > 1:
        assert not re.search(r"brings back", plain), f"of which model or method? {sentence}"
    for pattern, holds in KINDS:
        found = re.fullmatch(pattern, plain, re.IGNORECASE)
        if found:
            holds(truth, mine, found)
            return
    raise AssertionError(f"nobody knows how to check this: {sentence}")


KINDS: tuple[tuple[str, Callable[[Truth, list[Relearning], Any], None]], ...] = (
    (
        r"This control is not clean: (.*?)\. What such a model reaches is no recovery(\.|, .*)",
        controls.unclean,
    ),
    (r"There is no control that never learned the answer, .*", controls.no_control),
    (
        r"([\d,]+) of ([\d,]+) relearnings have no control of the same corpus, step, model and seed .*",
        controls.some_without_control,
    ),
    (
        r"([\d,]+) of ([\d,]+) relearnings have no matched control, [^(]* \(([^:]*)\): .*",
        controls.some_unmatched,
    ),
    (
        r"([\d,]+) of ([\d,]+) answers have no judge's rating: every number is of those that have one\."
        r"(?: Of all answers the judge did not take ([\d,]+) \((.*)\)\.)?",
        controls.unscored,
    ),
    (
        r"of ([\d,]+) planned benign relearnings(?: ([\d,]+) ha(?:ve|s) no (?:attack success rate|ROUGE-L|judge's "
        r"rating))?(?: and)?"
        r"(?: ([\d,]+) stops? before the last step)? \(seeds? ([\d, ]+)\): .*",
        controls.lacking,
    ),
    (
        r"of ([\d,]+) benign relearnings, ([\d,]+) are of a model that knew \(the 95% interval of its original lies "
        r"above 50%(?:; of [\d,]+ more it holds 50%)?\)(?:, and ([\d,]+) of these had forgotten \(([^)]*)\))?"
        r"(?:\.|: the originals reach (\d+)(?: to (\d+))?%\.)\D*",
        counted.flow,
    ),
    (
        r"of ([\d,]+) benign relearnings none can be said to be .* no original model was asked here\.",
        counted.no_original,
    ),
    (
        r"(?:all|([\d,]+) of these) ([\d,]+) were unlearned by destruction: they keep less than 80% of "
        r"what the original reaches on the retain probes \(the median of all is (\d+)%\)\D*",
        counted.destroyed,
    ),
    (
        r"of ([\d,]+) of these (no retain probe was asked|the original was asked no retain probe|"
        r"the original answers none of the retain probes), so whether they are intact cannot be said\.",
        counted.no_retain,
    ),
    (
        r"of the ([\d,]+) that knew and forgot, ([\d,]+) recovered at the last step \(net recovery of at least 50%\), "
        r"([\d,]+) at their best step"
        r"(?:; of ([\d,]+) it cannot be said)?; (?:none of [^;.]* was intact|whether they were intact is not known|"
        r"of the ([\d,]+) that were intact, ([\d,]+) recovered at the last step)\.",
        counted.recovered,
    ),
    (
        r"relearning itself cost utility: ([\d,]+) of the ([\d,]+) that were intact keep less than 80% of what the "
        r"original reaches on the retain probes after the last step \(the median of these ([\d,]+) is (\d+)%\)\.",
        counted.utility_after,
    ),
    (r"of the ([\d,]+) that knew and forgot it cannot be said whether they recovered: .*", counted.unsaid),
    (r"relearnings were run to different numbers of steps \((.*)\): .*", counted.steps),
    (
        r"relearning (\S+) brings back more than it teaches the control: (holds|does not hold|cannot be said)"
        r"(?:, since (.*?))? \(([+-]\d+) points(?: \(([+-]\d+) to ([+-]\d+)\))?, (\d+)(?: of \d+)? seeds?.*\)\.",
        claims.brings_back,
    ),
    (
        r"relearning (\S+) brings back more than it teaches the control, at its best step \((\d+)\): "
        r"(holds|does not hold|cannot be said)"
        r"(?:, since (.*?))? \(([+-]\d+) points(?: \(([+-]\d+) to ([+-]\d+)\))?, (\d+)(?: of \d+)? seeds?.*\)\.",
        claims.at_best,
    ),
    (r"one seed was run, so no verdict is given: .*", controls.one_seed),
    (
        r"These are the cells that were computed on (.*?): ([\d,]+) cells of this study were computed elsewhere\. .*",
        controls.devices,
    ),
    (r"No benign corpus has been relearned yet: .*", controls.nothing_benign),
    (r"([\d,]+) pairs of model and method were run; .*", controls.of_many),
    (r"[\d,]+ more such statements stand in the table .*", lambda *_: None),
)
