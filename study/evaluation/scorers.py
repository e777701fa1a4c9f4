"""The scores that are functions of texts alone: one small function each, and the table that names them.

Each turns a probe and its completion into a number, or None where it has no meaning for the probe. A new one is
a function in a file of its own, a line here, and its column in ``study.results.schema``. A change of what a score
is for an unchanged text raises ``schema.SCORES_VERSION``, which stands in every row.
"""

from collections.abc import Callable

from study.evaluation.exact import exact
from study.evaluation.keyword import keyword_anywhere, keyword_hit
from study.evaluation.rouge import rouge_l, rouge_l_ascii
from study.text.examples import Probe

Score = bool | float | None

SCORERS: dict[str, Callable[[Probe, str], Score]] = {
    "keyword_hit": keyword_hit,
    "keyword_anywhere": keyword_anywhere,
    "exact": exact,
    "rouge_l": rouge_l,
    "rouge_l_ascii": rouge_l_ascii,
}
