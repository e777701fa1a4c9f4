"""How a study becomes panels: a picture for each model and method, in it a line of panels per repetition count.

What would not fit a page is left out, and the caption says how much: repetition counts from the end of the declared
order, and of more corpora than fit (attacks of a search, most often) those that bring back least.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.charts.pooled import rows_with, values_present

MOST_PICTURES = 8
MOST_LINES = 6
MOST_COLUMNS = 5


@dataclass(frozen=True)
class PictureRows:
    """One picture's share of a study.

    Attributes:
        suffix: of its file's name.
        whose: words in front of its caption; empty where there is one picture.
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
            f"{', '.join(map(str, values.values()))}: " if len(places) > 1 else "",
            counts[:MOST_LINES],
            corpora[:MOST_COLUMNS],
            rows_with(seeds, **values),
            mine,
            f" Not shown here, but in the table of cells: {'; '.join(left_out)}." if left_out else "",
        )


def _best_first(rows: pd.DataFrame, corpora: list[str]) -> list[str]:
    """In their declared order; of more than fit, those that bring back most in any place first."""
    if len(corpora) <= MOST_COLUMNS:
        return corpora
    most = rows[rows["relearn_steps"] > 0].groupby("corpus", observed=True)["percent"].max()
    return sorted(corpora, key=lambda name: -float(most.get(name, -1.0)))
