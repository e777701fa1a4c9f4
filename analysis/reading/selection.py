"""Rows by the values of their coordinates; what is not there is named, with what is.

Each value may be there while no row has all of them. Then the shortest part of the question that no row answers is
named, and beside each of its values those that rows have.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import pandas as pd

from analysis.reading.study_frames import coordinates
from study.errors import SpecError, did_you_mean


def refuse_unknown(names: Iterable[object], known: Iterable[str], as_what: str = "") -> None:
    """Refuses what is no coordinate.

    Args:
        known: the coordinates.
        as_what: for what it was given, such as ``rows``.

    Raises:
        SpecError: names what is near.
    """
    known = list(known)
    for name in names:
        if name not in known:
            given = f"{as_what}={name}: {name}" if as_what else f"{name}"
            raise SpecError(
                f"{given} is no coordinate: choose from {', '.join(known)}{did_you_mean(str(name), known)}"
            )


def refuse_unknown_values(rows: pd.DataFrame, fixed: Mapping[str, object]) -> None:
    """Refuses values that neither a row has nor the study declares.

    Raises:
        SpecError: no such coordinate or value; names what is near.
    """
    refuse_unknown(fixed, coordinates(rows))
    for name, value in fixed.items():
        if len(rows):
            for each in as_list(value):
                known_value(each, rows[name], name)


def matching(rows: pd.DataFrame, fixed: Mapping[str, object]) -> pd.DataFrame:
    """The rows that have one of the values of each column.

    Args:
        fixed: column → a value, or a list of values.
    """
    for name, value in fixed.items():
        rows = rows[rows[name].isin(as_list(value))]
    return rows


def refuse_empty(rows: pd.DataFrame, fixed: Mapping[str, object]) -> None:
    """Refuses a question that no row answers.

    Raises:
        SpecError: the fewest of the conditions that no row meets together, and beside each the values that rows have.
    """
    if len(matching(rows, fixed)):
        return
    if rows.empty:
        raise SpecError(
            "these rows are none: nothing is computed yet; study.summary() says how much is there"
        )
    met = {name: rows[name].isin(as_list(value)).to_numpy() for name, value in fixed.items()}
    for size in range(1, len(met) + 1):
        for names in combinations(met, size):
            if not pd.DataFrame({name: met[name] for name in names}).all(axis=1).any():
                raise SpecError(_no_row(rows, {name: fixed[name] for name in names}))


def _no_row(rows: pd.DataFrame, fixed: dict[str, object]) -> str:
    question = " and ".join(f"{name}={_shown(value)}" for name, value in fixed.items())
    beside = []
    for name in fixed:
        others = {each: value for each, value in fixed.items() if each != name}
        words = " and ".join(f"{each}={_shown(value)}" for each, value in others.items())
        there = ", ".join(map(str, sorted(matching(rows, others)[name].dropna().unique())))
        beside.append(f"{f'beside {words} there is' if words else 'there is'} {name} {there}")
    return f"no row has {question}: {'; '.join(beside)}"


def known_value(value: object, column: "pd.Series[Any]", name: str) -> None:
    """Refuses a value that is not declared for a column.

    Raises:
        SpecError: names those that are, and the near one; or the type, where only that differs.
    """
    categories = isinstance(column.dtype, pd.CategoricalDtype)
    declared = list(column.cat.categories) if categories else sorted(column.dropna().unique())
    try:
        if value in declared:
            return
    except (TypeError, ValueError):
        pass  # an array or a frame, of which nobody can say whether it is there
    words = [str(each) for each in declared]
    shown = _shown(value)
    if value is None:
        hint = f"; leave {name} out where every value is wanted"
    elif not categories and isinstance(value, str) and value in words:
        shown, hint = repr(value), f"; they are numbers: give {value} without quotes"
    else:
        hint = did_you_mean(str(value), words)
    raise SpecError(f"{name}={shown}: these rows have {', '.join(words) or 'none'}{hint}")


def as_list(value: object) -> list[object]:
    """A value, or a list of values, as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _shown(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
