"""What is stated of a study's relearnings: each statement is a contrast, as pairs that differ in nothing else.

A statement is a difference, such as "prefix brings back more than gibberish". Its pairs are of relearnings that count
(known and forgotten, ``analysis.measures.recovery.flow``). What is compared is the *gain*: the score above what the
model answered before it was relearned, and above the control of the same corpus and step, where one was run. What stood
before did not come back, and text that teaches anybody the answer recovers nothing. Two gains are compared only where
they are above the same kind of control, and what is above a control is never averaged with what has none: such pairs
are left out, and the statement says how many. Nothing is pooled but what the statement names:
models and methods each have their own, and seeds alone are the sample. What a statement is over is read off its pairs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from analysis.measures.recovery.net_recovery import RELEARNING
from analysis.statistics.thresholds import at_least, at_most
from study.errors import counted

MARGIN = 0.1
"""An effect smaller than this counts as none."""
ALIKE = 0.1
"""The most by which the retain scores of two models differ that are compared at matched utility."""
BESIDE = ("value", "queries", "controlled")
"""What stands beside a gain."""


@dataclass(frozen=True)
class Statement:
    """A contrast of relearnings, as pairs.

    Attributes:
        place: what it is about: model, method and whatever else is not pooled.
        words: the statement.
        pairs: a row per pair: the coordinates that both have, and those in which they differ under ``_one`` and
            ``_other``; ``one`` and ``other``, two gains; ``a`` and ``b``, the two scores behind them; ``queries``;
            ``before``, where it is about one relearning.
        over: what the pairs are of, in words.
        compares: two relearnings, of which nothing can be said where both are at 0 or both at 100%; a relearning at 0
            says that nothing came back.
        margin: within which an effect counts as none; 0 where the statement is about a bound.
        choices: among how many steps the one that is told of was chosen, as the largest.
    """

    place: Mapping[str, str]
    words: str
    pairs: pd.DataFrame
    over: str
    compares: bool = True
    margin: float = MARGIN
    choices: int = 1


def paired(
    rows: pd.DataFrame, axis: str, one: object, other: object, gain: str = "gain", steps: bool = True
) -> pd.DataFrame:
    """Relearnings with two values of an axis that differ in nothing else, at the last step that both have.

    Args:
        rows: of ``counted_steps``.
        gain: what is compared.
        steps: pair at equal relearn steps; False where the axis itself is the steps.
    """
    keys = [name for name in RELEARNING if name != axis] + (["relearn_steps"] if steps else [])
    first, second = (rows[rows[axis] == value][[*keys, gain, *BESIDE]] for value in (one, other))
    both = first.merge(second, on=keys, suffixes=("_one", "_other"))
    if steps:
        both = both.sort_values("relearn_steps", kind="stable")
        both = both.drop_duplicates([name for name in keys if name != "relearn_steps"], keep="last")
    return _as_pairs(both, gain)


def above_controls(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs that are above a control, where any is; ``left_out``, summed, is how many others there were."""
    there = pairs["controlled"] != ""
    if there.all() or not there.any():
        return pairs
    kept = pairs[there].reset_index(drop=True)
    more = int((~there).sum()) + int(pairs.loc[~there, "left_out"].sum())
    return kept.assign(left_out=kept["left_out"] + [more, *[0] * (len(kept) - 1)])


def _as_pairs(both: pd.DataFrame, gain: str = "gain") -> pd.DataFrame:
    both = both[both["controlled_one"] == both["controlled_other"]]
    measured = [f"{name}_{side}" for name in (gain, *BESIDE) for side in ("one", "other")]
    return above_controls(
        both.drop(columns=measured)
        .assign(
            controlled=both["controlled_one"],
            left_out=0,
            one=both[f"{gain}_one"],
            other=both[f"{gain}_other"],
            a=both["value_one"],
            b=both["value_other"],
            queries=both[["queries_one", "queries_other"]].min(axis=1),
        )
        .reset_index(drop=True)
    )


def against(rows: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Each relearning's own two scores, such as its value and what it is held against."""
    kept = rows[[*RELEARNING, "relearn_steps", "queries", "before"]]
    pairs = kept.assign(one=rows[one], other=rows[other], a=rows[one], b=rows[other])
    return pairs.dropna(subset=["one", "other"], ignore_index=True)


def ends(rows: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The smallest against the largest value of an axis that count, wherever a relearning has two of them."""
    keys = [name for name in RELEARNING if name != axis]
    shared = rows.groupby([*keys, "relearn_steps"])[axis].transform("nunique") > 1
    rows = rows[shared]
    rows = rows[rows["relearn_steps"] == rows.groupby(keys)["relearn_steps"].transform("max")]
    ordered = rows.sort_values(axis, kind="stable")
    first, last = (ordered.drop_duplicates(keys, keep=keep) for keep in ("first", "last"))
    alike = [*keys, "relearn_steps"]
    columns = [*alike, axis, "gain", *BESIDE]
    return _as_pairs(first[columns].merge(last[columns], on=alike, suffixes=("_one", "_other")))


def _groups(rows: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    for values, part in rows.groupby(list(by), sort=False):
        yield dict(zip(by, map(str, values), strict=True)), part


def _last(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["relearn_steps"] == rows["last_step"]]


def pooled_values(rows: pd.DataFrame, *names: str) -> str:
    """Which values of some coordinates are pooled; of pairs that differ in one, those of either side."""
    said = []
    for name in names:
        sides = [name] if name in rows else [f"{name}_one", f"{name}_other"]
        values = (", ".join(map(str, sorted(rows[side].unique()))) for side in sides)
        said.append(f"{name.replace('_', ' ')} {' against '.join(values)}")
    if "left_out" in rows and rows["left_out"].sum():
        said.append(f"{counted(int(rows['left_out'].sum()), 'pair')} without a control left out")
    return "; ".join(said)


POOLED = ("repetitions", "depth", "relearn_steps")


def comes_back(rows: pd.DataFrame) -> Iterator[Statement]:
    """Relearning a corpus brings back more than its control, at each relearning's last step."""
    for place, part in _groups(_last(rows).dropna(subset=["control"]), ("model", "method", "corpus")):
        pairs = against(part, "value", "floor")
        words = f"relearning {place.pop('corpus')} brings back more than it teaches the control"
        yield Statement(place, words, pairs, pooled_values(pairs, *POOLED), compares=False)


def comes_back_at_best(rows: pd.DataFrame) -> Iterator[Statement]:
    """The same at the step where most comes back, of those that most relearnings have; where that is not the last."""
    for place, part in _groups(rows.dropna(subset=["control"]), ("model", "method", "corpus")):
        reached = part.groupby("relearn_steps")["last_step"].size()
        shared = part[part["relearn_steps"].isin(reached[reached == reached.max()].index)]
        means = shared.groupby(["relearn_steps", "seed"])["gain"].mean().groupby("relearn_steps").mean()
        step = means.index[int(means.argmax())]
        if at_least(means.iloc[-1], means.max()):
            continue  # the last step is the best, and the statement of the last step says it
        pairs = against(shared[shared["relearn_steps"] == step], "value", "floor")
        yield Statement(
            place,
            f"relearning {place.pop('corpus')} brings back more than it teaches the control, at its best step ({step})",
            pairs,
            f"{pooled_values(pairs, 'repetitions', 'depth')}; the best of steps {', '.join(map(str, means.index))}",
            compares=False,
            choices=len(means),
        )


def corpora(rows: pd.DataFrame) -> Iterator[Statement]:
    """One corpus brings back more than another."""
    for place, part in _groups(rows, ("model", "method")):
        for one, other in combinations(dict.fromkeys(part["corpus"]), 2):
            pairs = paired(part, "corpus", one, other)
            if len(pairs):
                yield Statement(
                    place, f"{one} brings back more than {other}", pairs, pooled_values(pairs, *POOLED)
                )


def depth(rows: pd.DataFrame) -> Iterator[Statement]:
    """Deeper unlearning is harder to undo."""
    yield from _of_ends(rows, "depth", "unlearned less deeply, more comes back", turned=False)


def repetitions(rows: pd.DataFrame) -> Iterator[Statement]:
    """What was repeated more often comes back more."""
    yield from _of_ends(rows, "repetitions", "repeated more often, more comes back", turned=True)


def _of_ends(rows: pd.DataFrame, axis: str, words: str, turned: bool) -> Iterator[Statement]:
    for place, part in _groups(rows, ("model", "method", "corpus")):
        pairs = ends(part, axis)
        if turned:
            pairs = sides_changed(pairs)
        if len(pairs):
            yield Statement(place, f"{place.pop('corpus')}: {words}", pairs, pooled_values(pairs, *POOLED))


def sides_changed(pairs: pd.DataFrame) -> pd.DataFrame:
    """The second of each pair as the first."""
    turned = {"one": "other", "a": "b"}
    names = map(str, pairs.columns)
    turned |= {name: f"{name.removesuffix('_one')}_other" for name in names if name.endswith("_one")}
    return pairs.rename(columns={**turned, **{second: first for first, second in turned.items()}})


def more_steps(rows: pd.DataFrame) -> Iterator[Statement]:
    """More relearn steps bring back more: the last step against the first one above 0."""
    for place, part in _groups(rows, ("model", "method", "corpus")):
        keys = list(RELEARNING)
        ordered = part.sort_values("relearn_steps", kind="stable")
        first, last = (ordered.drop_duplicates(keys, keep=keep) for keep in ("first", "last"))
        columns = [*keys, "relearn_steps", "gain", *BESIDE]
        both = last[columns].merge(first[columns], on=keys, suffixes=("_one", "_other"))
        pairs = _as_pairs(both[both["relearn_steps_one"] > both["relearn_steps_other"]])
        if len(pairs):
            words = f"{place.pop('corpus')}: more relearn steps bring back more"
            yield Statement(place, words, pairs, pooled_values(pairs, *POOLED))


def methods(rows: pd.DataFrame) -> Iterator[Statement]:
    """What one method made forget comes back more than what another did, among models that kept as much utility.

    Depths of two methods are no pairs: of each pair of depths, the last step that both have.
    """
    keys = ["scenario", "corpus", "repetitions", "seed"]
    columns = [*keys, "relearn_steps", "depth", "gain", *BESIDE, "utility"]
    for place, part in _groups(rows, ("model",)):
        for one, other in combinations(dict.fromkeys(part["method"]), 2):
            first, second = (part[part["method"] == name][columns] for name in (one, other))
            both = first.merge(second, on=[*keys, "relearn_steps"], suffixes=("_one", "_other"))
            both = both[at_most((both["utility_one"] - both["utility_other"]).abs(), ALIKE)]
            both = both.sort_values("relearn_steps", kind="stable")
            pairs = _as_pairs(both.drop_duplicates([*keys, "depth_one", "depth_other"], keep="last"))
            if len(pairs):
                kept = pairs[["utility_one", "utility_other"]].to_numpy(float)
                yield Statement(
                    {**place, "method": f"{one}, {other}"},
                    f"what {one} made forget comes back more than what {other} did",
                    pairs,
                    f"models whose retain scores differ by at most {100 * ALIKE:.0f} points (they keep "
                    f"{100 * kept.min():.0f} to {100 * kept.max():.0f}% of the original's); "
                    f"{pooled_values(pairs, 'corpus', *POOLED)}",
                )


STATED: tuple[Callable[[pd.DataFrame], Iterator[Statement]], ...] = (
    comes_back,
    comes_back_at_best,
    corpora,
    depth,
    repetitions,
    more_steps,
    methods,
)
"""What is stated of every study whose rows allow it."""
