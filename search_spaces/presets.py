"""The presets: the table of spaces that have a name."""

from collections.abc import Callable

from search_spaces.names import names
from search_spaces.tofu import tofu, tofu_mini
from study.spec import StudySpec

PRESETS: dict[str, Callable[[], StudySpec]] = {
    "names": names,
    "tofu": tofu,
    "tofu-mini": tofu_mini,
}
