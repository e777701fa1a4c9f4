"""Sentences that a corpus brings back more than it teaches the control: number, verdict and premises."""

import re

from tests.analysis.truth.relearning import Relearning, over_seeds
from tests.analysis.truth.rows import Truth


def brings_back(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    corpus, verdict, points, low, high, seeds = found.group(1, 2, 4, 5, 6, 7)
    counted = [each for each in mine if each.counts and each.corpus == corpus]
    assert (
        float(points) == round(100 * truth.gain_of_corpus(mine, corpus), 0)
        or abs(float(points) - 100 * truth.gain_of_corpus(mine, corpus)) <= 0.5 + 1e-6
    )
    assert int(seeds) == len({each.seed for each in counted})
    if verdict == "holds":
        assert int(seeds) > 1 and 0 <= float(low) <= float(points) <= float(high)
    if verdict == "does not hold":
        assert int(seeds) > 1 and (float(high) <= 0 or -10 <= float(low) <= float(high) <= 10)
    if int(seeds) == 1:
        assert verdict == "cannot be said" and low is None
    _premises(truth, [each for each in counted if each.control[each.last] is not None], None, found)


def _premises(truth: Truth, counted: list[Relearning], step: int | None, found: "re.Match[str]") -> None:
    """Seeds that lack, steps that differ, a score that does not rise: said where it is so, and only there."""
    at = {each: each.last if step is None else step for each in counted}
    before = over_seeds([(each.seed, each.before or 0.0) for each in counted])
    after = over_seeds([(each.seed, each.steps[at[each]]) for each in counted])
    risen = re.search(r"does not raise the score: (\d+)% before, (\d+)% after", found[0])
    told = "holds (" not in found[0] and "one seed" not in found[0]
    assert bool(risen) == (before > 0 and after <= before + 1e-9 and told)
    if risen:
        assert abs(100 * before - int(risen[1])) <= 0.5 and abs(100 * after - int(risen[2])) <= 0.5
    seeds = {each.seed for each in counted}
    of = re.search(r"(\d+)(?: of (\d+))? seeds?", found[0])
    assert of and int(of[2] or of[1]) == len(truth.planned_seeds) and int(of[1]) == len(seeds)
    steps = re.search(r", at (\d+) to (\d+) relearn steps", found[0])
    assert (steps is not None) == (len(set(at.values())) > 1)
    if steps:
        assert (int(steps[1]), int(steps[2])) == (min(at.values()), max(at.values()))


def at_best(truth: Truth, mine: list[Relearning], found: "re.Match[str]") -> None:
    corpus, step, verdict, points, low, high, seeds = found.group(1, 2, 3, 5, 6, 7, 8)
    gains = truth.gains_by_step(mine, corpus)
    assert gains[int(step)] == max(gains.values())
    assert abs(float(points) - 100 * gains[int(step)]) <= 0.5 + 1e-6
    assert int(step) < max(each.last for each in mine), "else it says what the sentence of the last step says"
    if verdict == "holds":
        assert int(seeds) > 1 and 0 <= float(low) <= float(points) <= float(high)
    if verdict == "does not hold":
        assert int(seeds) > 1 and (float(high) <= 0 or -10 <= float(low) <= float(high) <= 10)
    if int(seeds) == 1:
        assert verdict == "cannot be said" and low is None
    there = [each for each in mine if each.counts and each.corpus == corpus and int(step) in each.steps]
    _premises(truth, [each for each in there if each.control[int(step)] is not None], int(step), found)
