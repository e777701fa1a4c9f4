"""Sentences on what was run: the control, the devices, and what lacks. Each is held against the rows."""

import re
from typing import Any

from tests.analysis.truth.relearning import RELEARNING, Relearning
from tests.analysis.truth.rows import Truth


def number(words: str) -> int:
    return int(words.replace(",", ""))


def unclean(truth: Truth, _: list[Relearning], found: "re.Match[str]") -> None:
    groups = re.findall(
        r"the (base model|model that never learned)[^;]*? reaches (\d+)%[^;(]*\(([^)]*)\)", found[1]
    )
    assert groups
    for kind, value, words in groups:
        where = dict(re.findall(r"(model|corpus|seed|step|r)(?: =)? (\S+?)(?:,|$)", words))
        names = {"step": "relearn_steps", "r": "repetitions"}
        place = {names.get(name, name): int(text) if text.isdigit() else text for name, text in where.items()}
        start = "base" if kind == "base model" else "never_learned"
        cells = [row for row in truth.find(start=start, **place) if row["benign"]]
        assert any(f"{100 * row['value']:.0f}" == value for row in cells), (value, place)
        assert max(truth.ends(row)[0] for row in cells) > 0.02, "its interval reaches the floor"


def no_control(truth: Truth, _: list[Relearning], found: "re.Match[str]") -> None:
    assert not [row for row in truth.find(start="never_learned") if row["corpus"] != "none" and row["benign"]]


def some_without_control(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    without = [each for each in mine if each.control[each.last] is None]
    assert (number(found[1]), number(found[2])) == (len(without), len(mine))


def some_unmatched(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    without = [each for each in mine if each.kinds[each.last] != "matched"]
    assert (number(found[1]), number(found[2])) == (len(without), len(mine))
    assert set(found[3].split(", ")) == {each.method for each in without}


def unscored(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    assert (number(found[1]), number(found[2])) == (truth.unscored, truth.answers)
    assert number(found[3] or "0") == truth.untaken.total()
    for cause in truth.untaken:
        assert f"{truth.untaken[cause]:,}: {cause}" in found[4]


def lacking(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    last: dict[tuple[Any, ...], int] = {}
    for row in truth.planned:
        if row["start"] == "unlearned" and row["corpus"] != "none" and row["benign"] and row["relearn_steps"]:
            place = tuple(row[name] for name in RELEARNING)
            last[place] = max(last.get(place, 0), row["relearn_steps"])
    there = {tuple(getattr(each, name) for name in RELEARNING): each.last for each in mine}
    absent = set(last) - set(there)
    short = {place for place, step in there.items() if step < last[place]}
    assert [number(found[at] or "0") for at in (1, 2, 3)] == [len(last), len(absent), len(short)]
    assert found[4] == ", ".join(map(str, sorted({place[-1] for place in absent | short})))


def one_seed(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    assert len({each.seed for each in truth.relearnings}) == 1


def devices(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    assert set(found[1].split(", ")) == {row["device"] for row in truth.rows if row["device"]}
    assert number(found[2]) == truth.elsewhere > 0


def nothing_benign(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    assert not truth.relearnings


def of_many(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    assert number(found[1]) == len({(each.model, each.method) for each in truth.relearnings}) > 3
