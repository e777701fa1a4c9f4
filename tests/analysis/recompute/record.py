"""docs/RESULTS.md once more: every table between two marks, the contrasts of six seeds, and the law on new seeds.

A mark of a kind that is not known here is an error.
"""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats

from tests.analysis.recompute import page, paper
from tests.analysis.recompute.estimators import OF_GRIDS, Row, of_scores, rate, together
from tests.analysis.recompute.foreseen import check_foreseen
from tests.analysis.recompute.law import Law, explained
from tests.analysis.recompute.lead import cells_there, check_sentences
from tests.analysis.recompute.same import Line, Same, lines_of
from tests.analysis.recompute.source import Source
from tests.analysis.recompute.trajectories import common, matrix, scored, title
from tests.analysis.recompute.verdicts import check_over, check_verdict, judged
from tests.analysis.truth.relearning import Relearning

MARK = re.compile(r"<!-- ([\w.,-]+): (\S+) ?([^>]*?) ?-->\n(.*?)<!-- end -->\n", re.DOTALL)
PERCENT = ("keyword_anywhere", "keyword_hit", "rouge_l")
"""Metrics that are shown in percent; all others as they are."""


def marks(text: str) -> list[tuple[tuple[str, ...], str, tuple[str, ...], str]]:
    """What stands between marks: the studies, the kind, its further words, and the text."""
    return [
        (tuple(names.split(",")), kind, tuple(words.split()), inner.strip())
        for names, kind, words, inner in MARK.findall(text)
    ]


def check_mark(sources: dict[str, Source], kind: str, words: tuple[str, ...], text: str) -> int:
    """Recomputes one marked part; how many numbers were compared."""
    before = Same.compared
    Line.made.clear()
    if kind in JOINT:
        JOINT[kind](sources, text)
    else:
        (source,) = sources.values()
        assert kind in KINDS, f"nobody recomputes this table: {kind}"
        KINDS[kind](source, text, *words)
    Line.all_were_read()
    return Same.compared - before


def _run(source: Source, text: str) -> None:
    found = re.fullmatch(
        r"([\d,]+) of ([\d,]+) cells\.( \*\*In part: .*?\*\*)? ([\d,]+) stages with ([\d,]+) training steps and "
        r"([\d,]+) evaluations"
        r"(?:; all planned cells one by one would take ([\d,]+) steps(?:, ([\d.]+) times as many)?)?"
        r"\. The stages' own time is ([^.]*)\.\n\nThe command was `(.*)`\.",
        text,
    )
    assert found, text
    there, planned = cells_there(source), len(source.truth.planned)
    Same.text(found[1], there, text)
    Same.text(found[2], planned, text)
    assert bool(found[3]) == (there < planned), text
    once = source.cells.drop_duplicates(["stage", "stage_step"])
    last = once.loc[once.groupby("stage", observed=True)["stage_step"].idxmax()]
    Same.text(found[4], len(last), text)
    steps = int(last["stage_step"].sum())
    Same.text(found[5], steps, text)
    Same.text(found[6], len(once), text)
    alone = sum(row.get("train_steps_alone") or 0 for row in source.truth.planned)
    if found[7]:
        Same.text(found[7], int(alone), text)
    Same.number(found[8] or "–", alone / steps if found[8] else np.nan, text)
    assert bool(found[8]) == (bool(alone) and there == planned), text
    minutes = (last["train_seconds"].sum() + once["evaluation_seconds"].sum()) / 60
    shown = re.fullmatch(r"(?:(\d+) h )?(\d+) min", found[9])
    assert shown and abs(60 * int(shown[1] or 0) + int(shown[2]) - minutes) <= 0.5, (text, minutes)
    Same.text(found[10], source.content["provenance"]["command"], text)


def _answer(source: Source, text: str) -> None:
    check_sentences(source, [line.removeprefix("- ") for line in text.splitlines()])


def _flow(source: Source, text: str) -> None:
    page.flow(source, lines_of(text))


def _verdicts(source: Source, text: str) -> None:
    rows = lines_of(text)
    (pair,) = {(each.model, each.method) for each in source.truth.relearnings}
    mine = [source.truth.relearnings] * len(rows)
    planned = len({row["seed"] for row in source.truth.planned if row["model"] == pair[0]})
    for row, again in zip(rows, judged([row["statement"] for row in rows], mine), strict=True):
        check_verdict(row["verdict"], again, planned)
        Same.text(row["pairs"], again.pairs, row)
        check_over(row["over"], again)


def _repetitions(source: Source, text: str) -> None:
    names = {
        "original ASR, here": "original",
        "unlearned ASR, here": "unlearned",
        "relearned ASR, here": "relearned",
        "not known": "left out: not known",
        "not forgotten": "left out: not forgotten",
    }
    rows = lines_of(text.partition("\n\n")[2])
    paper.check_repetitions(source, [_renamed(row, names) for row in rows])


def _depths(source: Source, text: str) -> None:
    for row in lines_of(text):
        for name in row:
            if not name.startswith("r = "):
                continue
            mine = [
                each
                for each in source.truth.every
                if (each.method, each.corpus, str(each.depth)) == (row["method"], row["corpus"], row["depth"])
                and f"r = {each.repetitions}" == name
            ]
            begun = [each.before for each in mine]
            ended: list[float | None] = [each.steps[each.last] for each in mine]
            for shown, values in zip(row[name].split(" → "), (begun, ended), strict=True):
                assert ("(" in shown) == ("(seeds " in shown), f"a bracket without a name is 95%: {shown}"
                page.over_seeds(shown.replace("seeds ", ""), [] if None in values else values, row)


def _claims(source: Source, text: str) -> None:
    names = {"claim": "claim of the paper", "found (95%)": "ours", "from": "remark"}
    paper.check_claims(source, [_renamed(row, names) for row in lines_of(text)])


def _renamed(row: Line, names: dict[str, str]) -> Line:
    """With the columns' names of a page."""
    return Line({names.get(name, name): row[name] for name in row})


def _of(source: Source, metric: str, split: str, row: Line) -> pd.DataFrame:
    """The cells of one metric that have all of the coordinates that a row names."""
    mine = source.cells[(source.cells["metric"] == metric) & (source.cells["split"] == split)]
    for name in ("model", "start", "method", "repetitions", "depth", "corpus"):
        if name in row:
            mine = mine[mine[name].astype(str) == row[name]]
    return mine


def _steps(source: Source, text: str, metric: str = "", split: str = "forget") -> None:
    metric = metric or source.metric
    for row in lines_of(text):
        mine = _of(source, metric, split, row)
        for name in row:
            if name.isdigit():
                _entry(source, row[name], mine[mine["relearn_steps"] == int(name)], metric, split)


def _reference(source: Source, text: str) -> None:
    for row in lines_of(text):
        mine = _of(source, source.metric, "forget", row)
        mine = mine[mine["corpus"].astype(str) == "none"]
        (value,) = (row[name] for name in row if name not in ("start", "repetitions"))
        _entry(source, value, mine, source.metric, "forget")


def _entry(source: Source, shown: str, rows: pd.DataFrame, metric: str, split: str) -> None:
    """Counts with the interval of a rate; means with the lowest and the highest seed."""
    if shown == "–":
        Same.text(shown, "–" if rows["value"].isna().all() else "a value", rows)
        return
    if rows["n"].notna().all():
        sums = rows.groupby("seed")[["k", "n"]].sum()
        (asked,) = set(sums["n"])
        alike = source.truth.alike if split == "forget" else _alike(source, split)
        low, high = rate([float(k) for k in sums["k"]], float(asked), alike=alike)
        value = sums["k"].sum() / sums["n"].sum()
        Same.interval(shown, 100 * value, 100 * low, 100 * high, (shown, metric), OF_GRIDS)
        return
    scale = 100 if metric in PERCENT else 1
    values = scale * rows["value"]
    found = re.fullmatch(r"([\d.]+%?)(?: \(([\d.]+)%?–([\d.]+)%?\))?", shown)
    assert found, shown
    Same.number(found[1], values.mean(), shown)
    for end, value in ((found[2], values.min()), (found[3], values.max())):
        Same.number(end or found[1], value, shown)


def _alike(source: Source, split: str) -> float:
    if source.probes is None or not len(asked := source.probes[source.probes["split"] == split]):
        return 1.0
    names = asked["probe"].unique()
    return len(names) / len({title(name) for name in names})


def _methods(source: Source, text: str) -> None:
    for row in lines_of(text):
        mine = [
            each
            for each in source.truth.every
            if (each.method, each.corpus, str(each.seed)) == (row["method"], row["corpus"], row["seed"])
            and each.counts
        ]
        if not mine:
            Same.text(row["depth"], "never", row)
            for name in ("forgotten to", "comes back to", "gain (95%)", "retain kept"):
                Same.number(row[name], np.nan, row)
            continue
        first = min(mine, key=lambda each: each.depth)
        Same.text(row["depth"], first.depth, row)
        Same.number(row["forgotten to"], 100 * float(first.before or 0.0), row)
        Same.number(row["comes back to"], 100 * first.steps[first.last], row)
        kept = row["retain kept"].split(" → ")
        for shown, share in zip(kept, (first.kept, first.kept_at_last), strict=True):
            Same.number(shown, np.nan if share is None else 100 * share, row)
        _gain(source, row["gain (95%)"], first)


def _gain(source: Source, shown: str, each: Relearning) -> None:
    """The last step against the model before it, over its probes."""
    assert source.probes is not None
    rows = scored(source.probes[source.probes["split"] == "forget"], source.metric)
    rows = rows[(rows["start"].astype(str) == "unlearned") & (rows["seed"] == each.seed)]
    for name in ("model", "method", "repetitions", "depth"):
        rows = rows[rows[name].astype(str) == str(getattr(each, name))]
    begun = rows[rows["relearn_steps"] == 0]
    ended = rows[(rows["relearn_steps"] == each.last) & (rows["corpus"].astype(str) == each.corpus)]
    both = common([matrix(ended, source.metric), matrix(begun, source.metric)])
    assert both is not None
    scores, _, asked = both
    row = of_scores(scores, [1.0, -1.0], list(map(title, asked)))
    together([row])
    value, low, high = (source.points(row.found[name]) for name in ("value", "low", "high"))
    Same.interval(shown, value, *((low, high) if np.ptp(scores) > 0 else (np.nan, np.nan)), shown)


def _differences(source: Source, text: str, axis: str, metric: str = "") -> None:
    rows = lines_of(text)
    assert axis not in rows[0]
    scale = 100 if (metric or source.metric) in PERCENT else 1
    for row, (value, found) in zip(
        rows, page.differences(source, rows, metric or source.metric), strict=True
    ):
        ends = (scale * found["low"], scale * found["high"])
        Same.interval(row["one − other, points (95%)"], scale * value, *ends, row)
        assert "p (Holm)" not in row, "nobody recomputes this p"


def _access(sources: dict[str, Source], text: str) -> None:
    """An attacker with the weights beside one through an API, in every place that both studies have."""
    blocks = text.split("\n\n")
    for words, block in zip(blocks[::3], blocks[1::3], strict=True):
        found = re.match(r"(\S+) \(by \w+; [^)]*\) beside (\S+), by (\w+): of (\d+) places? ", words)
        assert found, words
        second, first = sources[found[1]], sources[found[2]]
        rows = lines_of(block.partition("\n\n")[0])
        told = _places(first, second, found[3])
        Same.text(found[4], len(rows), words)
        apart = {-1: 0, 1: 0}
        left = {place: each for place, each in told.items() if place[1] == "unlearned" and place[-1] > 0}
        assert len(left) == len(rows), words
        for row in rows:
            (place,) = (
                place
                for place in left
                if all(
                    str(value) == row[name]
                    for name, value in zip(
                        ("method", "start", "depth", "corpus", "relearn steps"), place, strict=True
                    )
                    if name in row
                )
            )
            means, contrast, seeds = left[place]
            Same.text(row["seeds"], seeds, row)
            Same.number(row[found[2]], 100 * means[0], row)
            Same.number(row[found[1]], 100 * means[1], row)
            ends = ("low_adjusted", "high_adjusted")
            low, high = (100 * contrast.found[end] if contrast else np.nan for end in ends)
            Same.interval(row["difference"], 100 * (means[1] - means[0]), low, high, row)
            if low > 0 or high < 0:
                apart[1 if low > 0 else -1] += 1
        shown = re.search(r"lies below 0 in (none|\d+) and above 0 in (none|\d+)", words)
        assert shown, words
        Same.text(shown[1], apart[-1] or "none", words)
        Same.text(shown[2], apart[1] or "none", words)
        rest = re.search(r"; in (?:all|the other) (\d+) it holds 0", words)
        Same.text(rest[1] if rest else 0, len(rows) - sum(apart.values()), words)


def _places(
    first: Source, second: Source, metric: str
) -> dict[tuple[str, str, int, str, int], tuple[tuple[float, float], Row | None, int]]:
    """Both means, the contrast and how many seeds, of each place; read together."""
    place = ["method", "start", "depth", "corpus", "relearn_steps"]
    tables = []
    for source in (first, second):
        assert source.probes is not None
        rows = source.probes[source.probes["split"] == "forget"].astype(
            {"method": str, "start": str, "corpus": str}
        )
        tables.append({where: matrix(part, metric) for where, part in scored(rows, metric).groupby(place)})
    made: dict[tuple[str, str, int, str, int], tuple[tuple[float, float], Row | None, int]] = {}
    for where in set(tables[0]) & set(tables[1]):
        both = common([tables[1][where], tables[0][where]])
        assert both is not None
        scores, seeds, asked = both
        same = bool((scores[0] == scores[1]).all())
        row = None if same else of_scores(scores, [1.0, -1.0], list(map(title, asked)))
        made[where] = ((float(scores[1].mean()), float(scores[0].mean())), row, len(seeds))
    together([row for _, row, _ in made.values() if row is not None])
    return made


def _foreseen(sources: dict[str, Source], text: str) -> None:
    check_foreseen(sources, lines_of(text))


def _pictures(source: Source, text: str, *_: str) -> None:
    assert all(line.startswith("![") or not line for line in text.splitlines()), text


KINDS: dict[str, Callable[..., None]] = {
    "run": _run,
    "answer": _answer,
    "flow": _flow,
    "verdicts": _verdicts,
    "repetitions": _repetitions,
    "depths": _depths,
    "claims": _claims,
    "steps": _steps,
    "reference": _reference,
    "methods": _methods,
    "differences": _differences,
    "pictures": _pictures,
    "curves_of": _pictures,
}
JOINT: dict[str, Callable[[dict[str, Source], str], None]] = {"foreseen": _foreseen, "access": _access}


def six_seeds(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """The contrasts of docs/RESULTS.md: ``words``, ``value``, ``low``, ``high``, ``p`` and the seeds, in points."""
    cells = pd.concat([first, second])
    cells = cells[
        (cells["metric"] == "keyword_anywhere")
        & (cells["split"] == "forget")
        & (cells["start"] == "unlearned")
    ]
    cells = cells[cells["relearn_steps"] == 40].assign(corpus=lambda rows: rows["corpus"].astype(str))
    both, deep = [5, 7], [10, 12]
    contrasts = {
        "prefix, depth 8 − 12": ((both, [8], "prefix"), (both, [12], "prefix")),
        "prefix, depth 8 − 10": ((both, [8], "prefix"), (both, [10], "prefix")),
        "depth 10 and 12, retain − gibberish": ((both, deep, "retain"), (both, deep, "gibberish")),
        "depth 10 and 12, prefix − gibberish": ((both, deep, "prefix"), (both, deep, "gibberish")),
        "depth 10 and 12, prefix − retain": ((both, deep, "prefix"), (both, deep, "retain")),
        "prefix, depth 10 and 12, r = 7 − 5": (([7], deep, "prefix"), ([5], deep, "prefix")),
        "prefix, depth 10 and 12, r = 7 − 1": (([7], deep, "prefix"), ([1], deep, "prefix")),
    }

    def mean(part: pd.DataFrame, repetitions: list[int], depths: list[int], corpus: str) -> float:
        chosen = (
            part["repetitions"].isin(repetitions) & part["depth"].isin(depths) & (part["corpus"] == corpus)
        )
        return 100 * float(part.loc[chosen, "value"].mean())

    rows = []
    for words, (one, other) in contrasts.items():
        seeds = [mean(part, *one) - mean(part, *other) for _, part in cells.groupby("seed")]
        found = stats.ttest_1samp(seeds, 0)
        ends = found.confidence_interval()
        rows.append((words, np.mean(seeds), ends.low, ends.high, found.pvalue, seeds))
    return pd.DataFrame(rows, columns=["words", "value", "low", "high", "p", "seeds"])


def law(first: pd.DataFrame, second: pd.DataFrame) -> float:
    """What the law, fitted to the first cells, explains of the second, beyond the means of the corpora."""
    chosen = [
        rows[(rows["metric"] == "keyword_anywhere") & (rows["split"] == "forget")].assign(
            corpus=lambda rows: rows["corpus"].astype(str)
        )
        for rows in (first, second)
    ]
    original = chosen[0][(chosen[0]["start"] == "original") & (chosen[0]["relearn_steps"] == 0)]
    train, asked = (rows[(rows["start"] == "unlearned") & (rows["corpus"] != "none")] for rows in chosen)
    fitted = Law(train, original[original["corpus"] == "none"])
    return explained(fitted.says(asked), fitted.means(asked), asked)
