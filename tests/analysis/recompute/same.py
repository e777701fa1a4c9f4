"""What is shown: tables of Markdown, and each number held against what is computed, within its rounding."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

NUMBER = r"[+-]?\d[\d,]*(?:\.\d+)?"


class Same:
    """Holds what is shown against what is computed, within the rounding of what is shown."""

    compared = 0

    @classmethod
    def number(cls, shown: str, value: float, about: object, slack: float = 0.0) -> None:
        cls.compared += 1
        if shown in ("–", ""):
            assert np.isnan(value), (about, shown, value)
            return
        plain = re.sub(r"[%,]| points", "", shown)
        digits = len(plain.partition(".")[2])
        assert abs(float(plain) - value) <= 0.5 * 10.0**-digits + 1e-6 + slack, (about, shown, value)

    @classmethod
    def interval(
        cls,
        shown: str,
        value: float,
        low: float,
        high: float,
        about: object,
        slack: float | tuple[float, float] = 0.0,
    ) -> None:
        """``12% (3 to 45)``; the slack is of both ends, or one of each."""
        found = re.fullmatch(rf"({NUMBER}(?:%| points)?|–)(?: \(({NUMBER}) ?(?:to|–) ?({NUMBER})\))?", shown)
        assert found, (about, shown)
        cls.number(found[1], value, about)
        if found[2] is None:
            assert np.isnan(low) or np.isnan(value), (about, shown, low, high)
        else:
            first, last = slack if isinstance(slack, tuple) else (slack, slack)
            cls.number(found[2], low, about, first)
            cls.number(found[3], high, about, last)

    @classmethod
    def p(cls, shown: str, value: float, about: object) -> None:
        """A p value, of small ones only that they are."""
        if shown.startswith("<"):
            assert value < 0.001, (about, value)
            cls.compared += 1
        else:
            cls.number(shown, value, about, 1e-4)

    @classmethod
    def text(cls, shown: str, expected: object, about: object) -> None:
        cls.compared += 1
        assert shown.replace(",", "") == str(expected).replace(",", ""), (about, shown, expected)


class Line(dict[str, str]):
    """A row that remembers which of its columns were looked at: each must be."""

    made: ClassVar[list["Line"]] = []

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.read: set[str] = set()
        Line.made.append(self)

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, nothing: Any = None) -> Any:
        """As of any mapping."""
        self.read.add(name)
        return super().get(name, nothing)

    @classmethod
    def all_were_read(cls) -> None:
        """An error where a column was not looked at; then all rows are forgotten."""
        left = {name for line in cls.made for name in set(line) - line.read}
        cls.made.clear()
        assert not left, f"nobody recomputes these columns: {sorted(left)}"


def blocks_of(text: str) -> Iterator[tuple[str, str]]:
    """Captions, each with its table as it stands there."""
    return ((caption, block) for caption, block in pairwise(text.split("\n\n")) if block.startswith("| "))


REMARKS = ("because", "remark", "not shown")
"""Columns that a table without any remark does not have."""


def lines_of(block: str, caption: str = "") -> list[Line]:
    """The rows of one table of Markdown; of a page's, with the columns that its caption says no row has."""
    head, _, *rows = (
        [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in block.strip().splitlines()
    )
    _, _, unknown = caption.partition("Left out, since no row has it: ")
    left_out = dict.fromkeys(unknown.removesuffix(".").split("; ") if unknown else (), "–")
    made = []
    for row in rows:
        shown = joined(dict(zip(head, row, strict=True)))
        line = Line(dict.fromkeys(REMARKS if caption else (), "") | left_out | shown)
        line.read |= set(REMARKS) - set(shown)
        made.append(line)
    return made


def joined(line: dict[str, str]) -> dict[str, str]:
    """A row whose intervals, two columns beside their value, are one value again: ``12% (3 to 45)``."""
    for name in list(line):
        for low, high in ((", from", ", to"), (", lowest", ", highest")):
            if name + low in line and name + high in line:
                ends = [re.sub(r"%| points", "", line.pop(name + end)) for end in (low, high)]
                assert ends.count("–") in (0, 2), f"an interval of one end: {line}"
                line[name] += f" ({' to '.join(ends)})" if "–" not in ends else ""
    return line
