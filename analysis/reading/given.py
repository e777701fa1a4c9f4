"""What a measure was given: one check for all of them, in words that say what was given and how to get what is taken.

A study has several tables, and a frame does not say what it is a part of. What a frame is, its columns say.
"""

from typing import Any

import pandas as pd

from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study
from study.errors import SpecError

LOADED = "study = analysis.load('studies/names')"
CELLS = ("metric", "split", "value")
PROBES = ("split", "probe")


def a_study(given: Any, asked_by: str) -> Study | Studies:
    """The study, or the studies, that a measure was given.

    Raises:
        SpecError: it was given something else, such as the study's cells.
    """
    if isinstance(given, Study | Studies):
        return given
    raise SpecError(
        f"analysis.{asked_by} was given {_what(given)}: it needs the study itself, since it reads "
        f"more than one of its tables; {LOADED}"
    )


def one_study(given: Any, asked_by: str) -> Study:
    """The one study that a measure was given.

    Raises:
        SpecError: as ``a_study``, or several studies.
    """
    studies = a_study(given, asked_by)
    if not isinstance(studies, Studies):
        return studies
    raise SpecError(
        f"analysis.{asked_by} was given {len(studies.parts)} studies: it takes one; choose it, as "
        "study.parts[0], or ask each of study.parts"
    )


def study_or_cells(given: Any, asked_by: str) -> Study | Studies | pd.DataFrame:
    """A study, or rows of its ``cells``.

    Raises:
        SpecError: it was given something else, or cells without a row.
    """
    return _study_or_rows(given, asked_by, CELLS, "study.cells")


def study_or_probes(given: Any, asked_by: str) -> Study | Studies | pd.DataFrame:
    """A study, or rows of its ``probes``.

    Raises:
        SpecError: it was given something else, or probes without a row.
    """
    return _study_or_rows(given, asked_by, PROBES, "study.probes or study.scores(metric)")


def _study_or_rows(
    given: Any, asked_by: str, columns: tuple[str, ...], rows: str
) -> Study | Studies | pd.DataFrame:
    if isinstance(given, Study | Studies):
        return given
    if not isinstance(given, pd.DataFrame) or not set(columns) <= set(given.columns):
        raise SpecError(
            f"analysis.{asked_by} was given {_what(given)}: it takes a study, or rows of {rows}; {LOADED}"
        )
    if given.empty:
        raise SpecError(
            f"analysis.{asked_by} was given {_what(given)} without a row: a filter before left none, or nothing is "
            "computed yet; study.summary() says how much is there"
        )
    return given


def _what(given: Any) -> str:
    if isinstance(given, pd.DataFrame):
        if set(CELLS) <= set(given.columns):
            return "a DataFrame of cells"
        if set(PROBES) <= set(given.columns):
            return "a DataFrame of probes"
        names = ", ".join(map(str, given.columns[:5]))
        return f"a DataFrame with the columns {names}" if names else "a DataFrame without columns"
    if given is None:
        return "None"
    shown = f"{given!s:.60}"
    return f"the text {shown!r}" if isinstance(given, str) else f"a {type(given).__name__}"
