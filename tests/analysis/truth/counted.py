"""Sentences on the flow: which relearnings are of models that knew, forgot, stayed intact and recovered."""

import re
from statistics import median

from tests.analysis.truth.controls import number
from tests.analysis.truth.exact import exact
from tests.analysis.truth.relearning import Relearning
from tests.analysis.truth.rows import Truth


def flow(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    known = [each for each in mine if each.known]
    held = re.search(r"of ([\d,]+) more it holds 50%", found[0])
    assert number(held[1] if held else "0") == sum(
        exact(truth.ends(row)[0]) < exact(0.5) < exact(truth.ends(row)[1])
        for each in mine
        for row in truth.find(
            start="original", model=each.model, repetitions=each.repetitions, seed=each.seed, relearn_steps=0
        )[:1]
    )
    assert (number(found[1]), number(found[2])) == (len(mine), len(known))
    if found[3] is not None:
        assert number(found[3]) == sum(bool(each.forgotten) for each in known)
        share, of_original = truth.limit
        assert f"at most {100 * share:.0f}% of the {'original' if of_original else 'queries'}" in found[4]
    else:
        assert not known
        originals = [100 * each.original for each in mine if each.original is not None]
        assert (found[5], found[6] or found[5]) == (f"{min(originals):.0f}", f"{max(originals):.0f}")


def no_original(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    assert number(found[1]) == len(mine)
    assert all(each.known is None for each in mine)


def destroyed(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    counted = [each for each in mine if each.counts]
    assert number(found[1] or found[2]) == sum(each.intact is False for each in counted) > 0
    assert number(found[2]) == len(counted)
    kept = median(each.kept for each in counted if each.kept is not None)
    assert found[3] == f"{100 * kept:.0f}"


def no_retain(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    unknown = [_why_unknown(truth, each) for each in mine if each.counts and each.intact is None]
    assert number(found[1]) == unknown.count(found[2].lower()) > 0


def _why_unknown(truth: Truth, each: Relearning) -> str:
    world = {"model": each.model, "repetitions": each.repetitions, "seed": each.seed, "relearn_steps": 0}
    if not truth.find("retain", start="unlearned", method=each.method, depth=each.depth, **world):
        return "no retain probe was asked"
    if not truth.find("retain", start="original", **world):
        return "the original was asked no retain probe"
    return "the original answers none of the retain probes"


def recovered(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    counted = [each for each in mine if each.counts]
    at_last = [each for each in counted if exact(each.net[each.last] or 0) >= exact(0.5)]
    at_best = [
        each for each in counted if exact(max(value or 0 for value in each.net.values())) >= exact(0.5)
    ]
    assert [number(found[at]) for at in (1, 2, 3)] == [len(counted), len(at_last), len(at_best)]
    assert number(found[4] or "0") == sum(each.net[each.last] is None for each in counted)
    assert number(found[5] or "0") == sum(each.intact is True for each in counted)
    unknown = [each for each in counted if each.intact is None]
    assert ("intact is not known" in found[0]) == (len(unknown) == len(counted))
    some = re.search(r"none of the ([\d,]+) of which it is known", found[0])
    assert bool(some) == (0 < len(unknown) < len(counted) and not found[5])
    assert not some or number(some[1]) == len(counted) - len(unknown)
    assert number(found[6] or "0") == sum(each.intact is True for each in at_last)


def utility_after(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    kept = [
        each.kept_at_last for each in mine if each.counts and each.intact and each.kept_at_last is not None
    ]
    assert number(found[1]) == sum(exact(share) < exact(0.8) for share in kept) > 0
    assert number(found[2]) == number(found[3]) == len(kept)
    assert abs(float(found[4]) - 100 * median(kept)) <= 0.5 + 1e-9


def unsaid(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    counted = [each for each in mine if each.counts]
    assert number(found[1]) == len(counted)
    assert all(each.net[each.last] is None for each in counted)


def steps(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    assert len({each.last for each in mine}) > 1
    apart = len({(min(of), max(of)) for of in _last_steps(mine, "method").values()}) > 1
    of_each = _last_steps(mine, *(("method", "corpus") if apart else ("corpus",)))
    said = [f"{whose} {min(of)}" + (f" to {max(of)}" if len(of) > 1 else "") for whose, of in of_each.items()]
    assert sorted(found[1].split(", ")) == sorted(", ".join(said).split(", "))


def _last_steps(mine: list[Relearning], *names: str) -> dict[str, set[int]]:
    made: dict[str, set[int]] = {}
    for each in mine:
        made.setdefault(", ".join(getattr(each, name) for name in names), set()).add(each.last)
    return made
