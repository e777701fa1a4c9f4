"""The presets: the table of spaces that have a name."""

from collections.abc import Callable

from search_spaces.names import names
from study.spec import StudySpec

PRESETS: dict[str, Callable[[], StudySpec]] = {
    "names": names,
}
