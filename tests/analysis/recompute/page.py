"""Every number of ``results.md`` once more: its tables, row by row, from the Parquet files alone.

A table is known by its caption; one that is not known here is an error, so that no new number goes unchecked.
"""

import re
from collections import Counter
from collections.abc import Callable
from statistics import fmean, median

import numpy as np

from tests.analysis.recompute import law, paper
from tests.analysis.recompute.drivers import check_drivers
from tests.analysis.recompute.estimators import OF_GRIDS, Row, ends, of_scores, rate, together
from tests.analysis.recompute.lead import check_begun, verdicts_of
from tests.analysis.recompute.same import Line, Same, blocks_of, lines_of
from tests.analysis.recompute.source import Source
from tests.analysis.recompute.trajectories import common, matrix, scored, title
from tests.analysis.recompute.verdicts import check_over
from tests.analysis.truth.exact import exact
from tests.analysis.truth.relearning import Relearning

PLACE = ("scenario", "model", "method", "repetitions", "depth", "corpus")


def check(source: Source, text: str) -> int:
    """Recomputes every table, and what stands before the first.

    Returns:
        How many numbers were compared.
    """
    before = Same.compared
    check_begun(source, text.partition("\n\n## ")[0].split("\n\n"))
    for caption, block in blocks_of(text):
        check_table(source, caption, block)
    shown = len(re.findall(r"^\| ---", text, flags=re.MULTILINE))
    captions = {caption for caption, _ in blocks_of(text)}
    assert shown == len(list(blocks_of(text))), "a table without a caption"
    rest = text.partition("\n\n## ")[2].strip().split("\n\n")
    beside = [part for part in rest if part not in captions and not part.startswith("| ")]
    assert not re.search(r"\d", "".join(beside)), f"nobody recomputes this: {beside}"
    return Same.compared - before


def check_table(source: Source, caption: str, block: str) -> None:
    """One table of Markdown, and its caption; every column of it must be looked at."""
    Line.made.clear()
    known = [check for pattern, check in CHECKS if re.search(pattern, caption)]
    assert known, f"nobody recomputes this table: {caption}"
    rows = lines_of(block, caption)
    known[0](source, rows)
    _caption(caption, rows)
    Line.all_were_read()


def _caption(caption: str, rows: list[Line]) -> None:
    """The numbers of a caption are those of its rows."""
    for number in re.findall(r"over the ([\d,]+) rows", caption):
        Same.text(number, len(rows), caption)
    rest = re.sub(
        r"95%|^Section \d, |over the [\d,]+ rows|after \d+ relearn steps|in 80% of studies", "", caption
    )
    assert not re.search(r"\d", rest), f"nobody recomputes this number: {caption}"


def _mine(source: Source, row: Line, among: list[Relearning] | None = None) -> list[Relearning]:
    """The relearnings that a row is about: those with all of the coordinates that it names."""
    return [
        each
        for each in (source.truth.relearnings if among is None else among)
        if all(str(getattr(each, name)) == row[name] for name in (*PLACE[1:], "seed") if name in row)
    ]


def flow(source: Source, rows: list[Line]) -> None:
    """The flow of the benign relearnings, by whatever coordinates a row names."""
    for row in rows:
        mine = _mine(source, {name: row[name] for name in (*PLACE[1:4], "seed") if name in row})
        known = [each for each in mine if each.known]
        counted = [each for each in known if each.forgotten]
        intact = [each for each in counted if each.intact]
        recovered = [each for each in counted if exact(each.net[each.last] or 0) >= exact(0.5)]
        at_best = [
            each for each in counted if exact(max(value or 0 for value in each.net.values())) >= exact(0.5)
        ]
        unsaid = [each for each in counted if each.net[each.last] is None]
        kept = [each.kept for each in counted if each.kept is not None]
        for name, value in {
            "relearnings": len(mine),
            "known": _left(mine, len(known), [each.known for each in mine]),
            "forgotten": _left(known, len(counted), [each.forgotten for each in known]),
            "intact": _left(counted, len(intact), [each.intact for each in counted]),
            "recovered": _left(
                intact,
                len([each for each in intact if each in recovered]),
                [each.net[each.last] for each in intact],
            ),
            "recovered, intact or not": len(recovered),
            "at the best step": len(at_best),
            "cannot be said": len(unsaid),
        }.items():
            if name in row:
                Same.text(row[name], value, (name, row))
        if "original" not in row:
            continue
        originals = [each.original for each in mine if each.original is not None]
        Same.number(row["original"], 100 * fmean(originals) if originals else np.nan, row)
        Same.number(row["retain kept, median"], 100 * median(kept) if kept else np.nan, row)


def _left(asked: list[Relearning], left: int, answers: list[object]) -> str:
    unknown = answers.count(None)
    if unknown and unknown == len(asked):
        return "–"
    return f"{left} ({unknown} not known)" if unknown else str(left)


def over_seeds(shown: str, values: list[float | None], about: object) -> None:
    """``12% (3 to 45)``: the mean, the lowest and the highest seed."""
    there = [100 * value for value in values if value is not None]
    if not there:
        Same.text(shown, "–", about)
        return
    alike = f"{min(there):.0f}" == f"{max(there):.0f}"
    low, high = (np.nan, np.nan) if alike else (min(there), max(there))
    Same.interval(shown, fmean(there), low, high, about)


def _net(source: Source, rows: list[Line]) -> None:
    groups: dict[tuple[object, ...], list[Relearning]] = {}
    for each in source.truth.relearnings:
        where: tuple[object, ...] = (each.model, each.method, each.repetitions, each.depth, each.corpus)
        groups.setdefault(where, []).append(each)
    contrasts: dict[tuple[object, ...], dict[int, Row]] = {}
    for place, mine in groups.items():
        shown = [each for each in mine if None not in each.net.values()]
        steps = sorted(set.intersection(*(set(each.steps) for each in shown))) if shown else []
        contrasts[place] = {step: _net_row(shown, step) for step in steps}
    together([row for of_place in contrasts.values() for row in of_place.values()])
    for row in rows:
        mine = _mine(source, row)
        (place,) = {(each.model, each.method, each.repetitions, each.depth, each.corpus) for each in mine}
        Same.text(row["seeds"], len({each.seed for each in mine}), row)
        Same.text(row["that count"], sum(each.counts for each in mine), row)
        last = sorted({each.last for each in mine})
        Same.text(row["last step"], last[0] if len(last) == 1 else f"{last[0]} to {last[-1]}", row)
        reasons = Counter(_why_no_net(each) for each in mine if each.net[each.last] is None)
        assert set(row["not shown"].split("; ")) == (
            {f"{n} × {why}" for why, n in reasons.items()} or {""}
        ), row
        over_seeds(row["original"], [each.original for each in mine], row)
        over_seeds(row["before"], [each.before for each in mine], row)
        over_seeds(row["last"], [each.steps[each.last] for each in mine], row)
        over_seeds(row["control"], [each.control[each.last] for each in mine], row)
        over_seeds(row["retain kept"], [each.kept for each in mine], row)
        over_seeds(row["retain kept, last"], [each.kept_at_last for each in mine], row)
        found = contrasts[place]
        if not found:
            assert (row["net recovery"], row["best step"], row["at the best step"]) == ("–", "–", "–"), row
            continue
        best = max(found, key=lambda step: found[step].found["value"])
        Same.text(row["best step"], best, row)
        several = len(found[best].by_seed) > 1
        for name, step, level in (
            ("net recovery", max(found), 0.05),
            ("at the best step", best, 0.05 / len(found)),
        ):
            told = ends(found[step], level, "")
            shown = [each for each in mine if None not in each.net.values()]
            low, high, gap = _net_of_rate(shown, step, level)
            low, high = 100 * min(low, told["low"]), 100 * max(high, told["high"])
            low, high = (low, high) if several and not np.isnan(told["low"]) else (np.nan, np.nan)
            Same.interval(row[name], 100 * found[step].found["value"], low, high, (name, row), OF_GRIDS / gap)


def _why_no_net(each: Relearning) -> str:
    if each.original is None:
        return "no original model was asked"
    return (
        "no control was relearned alike"
        if each.control[each.last] is None
        else "the original is not above the control"
    )


def _net_of_rate(mine: list[Relearning], step: int, level: float) -> tuple[float, float, float]:
    """The interval of the relearned rate, between the means of control and original; and the gap of these."""
    asked = mine[0].queries
    ends_of_rate = rate([each.steps[step] * asked for each in mine], asked, level)
    control = fmean(float(each.control[step] or 0) for each in mine)
    gap = fmean(float(each.original or 0) for each in mine) - control
    return (ends_of_rate[0] - control) / gap, (ends_of_rate[1] - control) / gap, gap


def _net_row(mine: list[Relearning], step: int) -> Row:
    queries = min(each.queries for each in mine)
    original = fmean(float(each.original or 0) for each in mine)
    control = fmean(float(each.control[step] or 0) for each in mine)
    rate = (fmean(each.steps[step] for each in mine) * queries + 1) / (queries + 2)
    gap = original - control
    net = np.array([float(each.net[step] or 0) for each in mine])
    row = Row(net, rate * (1 - rate) / gap**2)
    if all(
        abs(each.steps[step] * each.queries - round(each.steps[step] * each.queries)) < 1e-6 for each in mine
    ):
        row.floor = (1 / (queries + 2) / gap) ** 2
    row.least, row.most = min(net.min(), -control / gap), max(net.max(), (1 - control) / gap)
    return row


def _verdicts(source: Source, rows: list[Line]) -> None:
    told = verdicts_of(source)
    models, methods = (
        {pair[at] for pair in ((e.model, e.method) for e in source.truth.every)} for at in (0, 1)
    )
    for row in rows:
        place = (row.get("model", min(models)), row.get("method", min(methods)), row["statement"])
        assert place in told, f"nobody states this, or it stands twice: {row}"
        again = told.pop(place)
        Same.text(row["verdict"], again.verdict, row)
        Same.text(row["because"], again.because, row)
        Same.text(row["seeds"], again.seeds, row)
        Same.text(row["pairs"], again.pairs, row)
        check_over(row["over"], again)
        Same.interval(row["points"], 100 * again.value, 100 * again.low, 100 * again.high, row, again.slack)
        if row["could have been seen"] == "> 100 points":
            assert again.smallest > 1, row
        else:
            Same.number(row["could have been seen"], 100 * again.smallest, row, max(again.slack))
    assert not told, f"not in the table: {list(told)}"


def _surface(source: Source, rows: list[Line]) -> None:
    for row in rows:
        mine = _mine(source, row, source.truth.every)
        Same.text(row["seeds"], len({each.seed for each in mine}), row)
        over_seeds(row["before"], [each.before for each in mine], row)
        over_seeds(row["after"], [each.steps[each.last] for each in mine], row)
        Same.text(row["last step"], ", ".join(map(str, sorted({each.last for each in mine}))), row)


def _trajectory(source: Source, rows: list[Line]) -> None:
    found = source.trajectories
    found = found[found["start"] == "unlearned"]
    assert len(rows) == len(found)
    for row in rows:
        mine = found
        for name in PLACE:
            if name in row:
                mine = mine[mine[name].astype(str) == row[name]]
        (at,) = mine.to_dict("records")
        for name, of in (("before", "first"), ("peak", "peak"), ("last", "final")):
            Same.interval(
                row[name],
                *(source.percent(at[f"{of}{end}"]) for end in ("", "_low", "_high")),
                about=(name, row),
                slack=OF_GRIDS,
            )
        Same.text(row["at step"], at["peak_step"], row)
        for name, of in (
            ("drop after the peak, points", "drop"),
            ("above the control, points", "lift"),
            ("recovered of what was lost", "recovery"),
            ("retain, points", "utility"),
        ):
            shown_as = (lambda share: 100 * share) if of == "recovery" else source.points
            value, low, high = (shown_as(at[f"{of}{end}"]) for end in ("", "_low", "_high"))
            Same.interval(row[name], value, low, high, (name, row), OF_GRIDS if of == "recovery" else 0.0)
        Same.p(row["p, adjusted"], at["drop_p_adjusted"], row)
        p = at["drop_p_adjusted"]
        Same.text(
            row["a fall is shown"], "–" if np.isnan(p) else "yes" if p < 0.05 else "cannot be said", row
        )


def _differences(source: Source, rows: list[Line]) -> None:
    for row, (value, found) in zip(rows, differences(source, rows, source.metric), strict=True):
        low, high = (source.points(found[f"{end}_adjusted"]) for end in ("low", "high"))
        Same.interval(row["one − other, points"], source.points(value), low, high, row)
        Same.p(row["p, adjusted"], found["p_adjusted"], row)
        seen = row["could be seen, points"]
        least = source.percent(found["detectable"]) - source.percent(0)
        if seen == "> 100":
            assert least > 100, (row, least)
        else:
            Same.number(seen, least, row)


def differences(source: Source, rows: list[Line], metric: str) -> list[tuple[float, dict[str, float]]]:
    """Of each row, by its two sides: the difference, and what its contrast gives among all of them."""
    assert source.probes is not None
    probes = scored(source.probes[source.probes["split"] == "forget"], metric)
    probes = probes[(probes["start"].astype(str) == "unlearned") & (probes["relearn_steps"] > 0)]
    axis = next(
        name
        for name in ("corpus", "method")
        if name not in rows[0] and {row["one"] for row in rows} <= set(probes[name].astype(str))
    )
    told, values = [], []
    for row in rows:
        mine = probes
        for name in (*PLACE, "relearn_steps"):
            if name in row:
                mine = mine[mine[name].astype(str) == row[name]]
        sides = [mine[mine[axis].astype(str) == row[side]] for side in ("one", "other")]
        step = max(set(sides[0]["relearn_steps"]) & set(sides[1]["relearn_steps"]))
        both = common([matrix(side[side["relearn_steps"] == step], metric) for side in sides])
        assert both is not None
        scores, _, asked = both
        values.append(float((scores[0] - scores[1]).mean()))
        told.append(of_scores(scores, [1.0, -1.0], list(map(title, asked))) if np.ptp(scores) > 0 else None)
    together([row for row in told if row is not None])
    names = ("low", "high", "low_adjusted", "high_adjusted", "p_adjusted", "detectable")
    nothing = dict.fromkeys(names, np.nan)
    return list(zip(values, [row.found if row else nothing for row in told], strict=True))


def _controls(source: Source, rows: list[Line]) -> None:
    for row in rows:
        mine = source.headline[source.headline["start"].astype(str) == row["start"].replace(" ", "_")]
        for name in ("model", "depth", "corpus", "repetitions"):
            if name in row:
                mine = mine[mine[name].astype(str) == row[name]]
        first = mine.loc[mine["relearn_steps"] == 0, "value"]
        Same.text(row["seeds"], mine["seed"].nunique(), row)
        Same.number(row["before relearning"], 100 * first.mean(), row)
        Same.number(row["most in any cell"], 100 * mine["value"].max(), row)


def _ladder(source: Source, rows: list[Line]) -> None:
    for row in rows:
        where = {name: row[name] for name in ("model", "method", "corpus", "repetitions") if name in row}
        mine = [each for each in _mine(source, where) if each.counts]
        values = [100 * each.steps[each.last] for each in mine]
        controls = [100 * value for each in mine if (value := each.control[each.last]) is not None]
        Same.text(row["relearnings that count"], len(mine), row)
        for name, over in (("relearned, mean", fmean), ("lowest", min), ("highest", max)):
            Same.number(row[name], over(values) if values else np.nan, (name, row))
        Same.number(row["control"], fmean(controls) if controls else np.nan, row)
        Same.text(row["last step"], ", ".join(map(str, sorted({each.last for each in mine}))) or "–", row)
        (corpus,) = [
            each
            for each in source.corpora
            if (each["corpus"], str(each["repetitions"])) == (row["corpus"], row["repetitions"])
        ]
        Same.text(row["benign"], "yes" if corpus["benign"] else "no", row)
        for name, value in (
            ("words", corpus["words"]),
            ("shared words", 100 * corpus["lexical_overlap"]),
            ("edit distance", corpus["edit_distance"]),
            ("longest shared run, words", corpus["shared_run"]),
        ):
            Same.number(row[name], value, row)


CHECKS: tuple[tuple[str, Callable[[Source, list[Line]], None]], ...] = (
    (r"^The flow of benign relearnings", flow),
    (r"^Net recovery of every benign relearning", _net),
    (r"^Statements and their verdicts", _verdicts),
    (r"of the unlearned model, and after the last relearn step", _surface),
    (r"^Each trajectory, seeds together", _trajectory),
    (r"^Paired differences by ", _differences),
    (r"^Effects on ", check_drivers),
    (r"^The controls in numbers", _controls),
    (r"^Each corpus as the plan recorded it", _ladder),
    (r"^Coefficients on the logit", law.check_coefficients),
    (r"the paper's numbers beside ours", paper.check_numbers),
    (r"the paper's claims beside ours", paper.check_claims),
    (r"^Relearned on prefix to the last step", paper.check_repetitions),
)
