"""How a study becomes panels: a picture for each model and method, in it a line of panels per repetition count.

Where each of these pictures would be a single panel, as with many methods and one corpus, they are one picture.

What would not fit a page is left out, and the caption says how much: repetition counts from the end of the declared
order, and of more corpora than fit (attacks of a search, most often) those that bring back least.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

from analysis.charts.pooled import rows_with, values_present

Kind = TypeVar("Kind")

MOST_PICTURES = 8
MOST_LINES = 6
MOST_COLUMNS = 5
COLUMNS = 3
"""Panels of a line where nothing says how many belong together."""


@dataclass(frozen=True)
class PictureRows:
    """One picture's share of a study.

    Attributes:
        suffix: of its file's name.
        whose: the model and method that it is of, as far as they differ; empty where there is one picture.
        left_out: what is not shown, in words; empty where all is.
    """

    suffix: str
    whose: str
    counts: list[int]
    corpora: list[str]
    seeds: pd.DataFrame
    pooled: pd.DataFrame
    left_out: str

    def panels(self) -> Iterator[tuple[int, list[tuple[str, str, pd.DataFrame, pd.DataFrame]]]]:
        """For each line its repetitions, and for each panel its corpus, title, seeds and pooled rows."""
        for count in self.counts:
            yield (
                count,
                [
                    (
                        corpus,
                        f"{corpus}, r = {count}" if len(self.counts) > 1 else corpus,
                        rows_with(self.seeds, repetitions=count, corpus=corpus),
                        rows_with(self.pooled, repetitions=count, corpus=corpus),
                    )
                    for corpus in self.corpora
                ],
            )


def picture_rows(seeds: pd.DataFrame, pooled: pd.DataFrame, by: Sequence[str]) -> Iterator[PictureRows]:
    """The pictures; ``by`` are the coordinates of which each value has its own."""
    shown = pooled[pooled["corpus"] != "none"]
    places = [tuple(place) for place in shown[list(by)].drop_duplicates().sort_values(list(by)).to_numpy()]
    for index, place in enumerate(places[:MOST_PICTURES]):
        values = dict(zip(by, place, strict=True))
        mine = rows_with(shown, **values)
        counts = [int(str(value)) for value in reversed(values_present(mine, "repetitions"))]
        corpora = _best_first(mine, [str(value) for value in values_present(mine, "corpus")])
        left_out = (
            [f"{len(places) - MOST_PICTURES} more of {' × '.join(by)}"] if len(places) > MOST_PICTURES else []
        )
        if len(counts) > MOST_LINES:
            left_out.append(f"repetitions {', '.join(map(str, counts[MOST_LINES:]))}")
        if len(corpora) > MOST_COLUMNS:
            left_out.append(f"{len(corpora) - MOST_COLUMNS} more corpora, which bring back less")
        yield PictureRows(
            f"-{index + 1}" if len(places) > 1 else "",
            ", ".join(str(value) for name, value in values.items() if shown[name].nunique() > 1),
            counts[:MOST_LINES],
            corpora[:MOST_COLUMNS],
            rows_with(seeds, **values),
            mine,
            f" Not shown here, but in the table of cells: {'; '.join(left_out)}." if left_out else "",
        )


def pictures(parts: Sequence[PictureRows]) -> list[list[PictureRows]]:
    """The parts that are one picture: all, where each has one panel, of the same corpus and repetitions."""
    alike = {(*part.counts, *part.corpora) for part in parts}
    single = all(len(part.counts) == len(part.corpora) == 1 for part in parts)
    return [list(parts)] if parts and single and len(alike) == 1 else [[part] for part in parts]


def in_lines(panels: Sequence[Kind]) -> tuple[tuple[Kind, ...], ...]:
    """A few panels beside each other."""
    return tuple(tuple(panels[at : at + COLUMNS]) for at in range(0, len(panels), COLUMNS))


def in_front(words: str, whose: str) -> str:
    """Our own words at the beginning of a caption; behind an identifier, which keeps its case, they stay small."""
    return f"{whose}: {words}" if whose else f"{words[0].upper()}{words[1:]}"


def _best_first(rows: pd.DataFrame, corpora: list[str]) -> list[str]:
    """In their declared order; of more than fit, those that bring back most in any place first."""
    if len(corpora) <= MOST_COLUMNS:
        return corpora
    most = rows[rows["relearn_steps"] > 0].groupby("corpus", observed=True)["percent"].max()
    return sorted(corpora, key=lambda name: -float(most.get(name, -1.0)))
