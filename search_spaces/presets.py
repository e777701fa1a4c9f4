"""The presets: the table of spaces that have a name. Those that end in ``-mini`` need nothing but this package."""

from collections.abc import Callable

from search_spaces.experiments.names import names
from search_spaces.experiments.tofu import tofu, tofu_mini
from search_spaces.experiments.whp import whp_keyword, whp_keyword_mini, whp_verbatim, whp_verbatim_mini
from search_spaces.experiments.wmdp import wmdp, wmdp_mini
from study.spec import StudySpec

PRESETS: dict[str, Callable[[], StudySpec]] = {
    "names": names,
    "tofu": tofu,
    "tofu-mini": tofu_mini,
    "whp-keyword": whp_keyword,
    "whp-keyword-mini": whp_keyword_mini,
    "wmdp": wmdp,
    "wmdp-mini": wmdp_mini,
    "whp-verbatim": whp_verbatim,
    "whp-verbatim-mini": whp_verbatim_mini,
}
