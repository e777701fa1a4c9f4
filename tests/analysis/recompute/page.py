"""Every number of ``results.md`` once more: its tables, row by row, from the Parquet files alone.

A table is known by its caption; one that is not known here is an error, so that no new number goes unchecked.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import fmean, median

import numpy as np

from tests.analysis.recompute.drivers import drivers
from tests.analysis.recompute.estimators import Row, ends, of_scores, rate, together
from tests.analysis.recompute.same import Same
from tests.analysis.recompute.source import Source
from tests.analysis.recompute.trajectories import common, matrix, scored, title
from tests.analysis.recompute.verdicts import judged
from tests.analysis.truth.relearning import Relearning

Line = dict[str, str]
OF_GRIDS = 2.5
"""Points by which the ends of a rate may differ: both programs integrate over grids of their own."""
REMARKS = ("because", "remark", "not shown")
"""Columns that a table without any remark does not have."""
PLACE = ("scenario", "model", "method", "repetitions", "depth", "corpus")


def tables(text: str) -> Iterator[tuple[str, list[Line]]]:
    """Captions with their rows."""
    blocks = text.split("\n\n")
    for caption, block in pairwise(blocks):
        if block.startswith("| "):
            lines = [
                [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                for line in block.strip().splitlines()
            ]
            _, _, unknown = caption.partition("Left out, since no row has it: ")
            left_out = dict.fromkeys(unknown.removesuffix(".").split("; "), "–") | dict.fromkeys(REMARKS, "")
            yield caption, [_joined(left_out | dict(zip(lines[0], line, strict=True))) for line in lines[2:]]


def _joined(line: Line) -> Line:
    """A row whose intervals, two columns beside their value, are one value again: ``12% (3 to 45)``."""
    for name in list(line):
        for low, high in ((", from", ", to"), (", lowest", ", highest")):
            if name + low in line and name + high in line and line[name + low] != "–":
                ends = " to ".join(line[name + end].removesuffix("%") for end in (low, high))
                line[name] = f"{line[name]} ({ends})"
    return line


def check(source: Source, text: str) -> int:
    """Recomputes every table.

    Returns:
        How many numbers were compared.
    """
    compared = 0
    for caption, rows in tables(text):
        known = [check for pattern, check in CHECKS if re.search(pattern, caption)]
        assert known, f"nobody recomputes this table: {caption}"
        before = Same.compared
        known[0](source, rows)
        compared += Same.compared - before
    return compared


def _mine(source: Source, row: Line, among: list[Relearning] | None = None) -> list[Relearning]:
    """The relearnings that a row is about: those with all of the coordinates that it names."""
    return [
        each
        for each in (source.truth.relearnings if among is None else among)
        if all(str(getattr(each, name)) == row[name] for name in (*PLACE[1:], "seed") if name in row)
    ]


def _flow(source: Source, rows: list[Line]) -> None:
    for row in rows:
        mine = _mine(source, {name: row[name] for name in (*PLACE[1:4], "seed") if name in row})
        known = [each for each in mine if each.known]
        counted = [each for each in known if each.forgotten]
        intact = [each for each in counted if each.intact]
        recovered = [each for each in counted if (each.net[each.last] or 0) >= 0.5]
        at_best = [each for each in counted if max(value or 0 for value in each.net.values()) >= 0.5]
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
            Same.text(row[name], value, (name, row))
        originals = [each.original for each in mine if each.original is not None]
        Same.number(row["original"], 100 * fmean(originals) if originals else np.nan, row)
        Same.number(row["retain kept, median"], 100 * median(kept) if kept else np.nan, row)


def _left(asked: list[Relearning], left: int, answers: list[object]) -> str:
    unknown = answers.count(None)
    if unknown and unknown == len(asked):
        return "–"
    return f"{left} ({unknown} not known)" if unknown else str(left)


def _over_seeds(shown: str, values: list[float | None], about: object) -> None:
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
        _over_seeds(row["original"], [each.original for each in mine], row)
        _over_seeds(row["before"], [each.before for each in mine], row)
        _over_seeds(row["last"], [each.steps[each.last] for each in mine], row)
        _over_seeds(row["control"], [each.control[each.last] for each in mine], row)
        _over_seeds(row["retain kept"], [each.kept for each in mine], row)
        _over_seeds(row["retain kept, last"], [each.kept_at_last for each in mine], row)
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
    models = {each.model for each in source.truth.relearnings}
    methods = {each.method for each in source.truth.relearnings}
    mine = []
    for row in rows:
        of = (
            row.get("method", next(iter(methods))).split(", ")
            if len(methods) == 1 or "method" in row
            else methods
        )
        model = row.get("model", next(iter(models)))
        wanted = set(of) if "made forget" in row["statement"] else {", ".join(of)}
        mine.append(
            [each for each in source.truth.relearnings if each.model == model and each.method in wanted]
        )
    for row, again in zip(rows, judged([row["statement"] for row in rows], mine), strict=True):
        Same.text(row["verdict"], again.verdict, row)
        Same.text(row["because"], again.because, row)
        Same.text(row["seeds"], again.seeds, row)
        Same.text(row["pairs"], again.pairs, row)
        told = dict(part.split(" ", 1) for part in row["over"].split("; ") if part[0] in "rd")
        for name, values in again.over.items():
            start = name.split()[0]
            if start in told:  # of a best step the steps are those it was chosen from
                Same.text(told[start].removeprefix("steps "), values, (name, row))
        Same.interval(row["points"], 100 * again.value, 100 * again.low, 100 * again.high, row)
        if row["could have been seen"] == "> 100 points":
            assert again.smallest > 1, row
        else:
            Same.number(row["could have been seen"].removesuffix(" points"), 100 * again.smallest, row)


def _surface(source: Source, rows: list[Line]) -> None:
    for row in rows:
        mine = _mine(source, row, source.truth.every)
        Same.text(row["seeds"], len({each.seed for each in mine}), row)
        _over_seeds(row["before"], [each.before for each in mine], row)
        _over_seeds(row["after"], [each.steps[each.last] for each in mine], row)


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
            Same.interval(
                row[name], *(shown_as(at[f"{of}{end}"]) for end in ("", "_low", "_high")), about=(name, row)
            )
        _p(row["p, adjusted"], at["drop_p_adjusted"], row)
        p = at["drop_p_adjusted"]
        Same.text(
            row["a fall is shown"], "–" if np.isnan(p) else "yes" if p < 0.05 else "cannot be said", row
        )


def _p(shown: str, value: float, about: object) -> None:
    if shown.startswith("<"):
        assert value < 0.001, (about, value)
    else:
        Same.number(shown, value, about, 1e-4)


def _differences(source: Source, rows: list[Line]) -> None:
    assert source.probes is not None
    probes = scored(source.probes[source.probes["split"] == "forget"], source.metric)
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
        both = common([matrix(side[side["relearn_steps"] == step], source.metric) for side in sides])
        assert both is not None
        scores, _, asked = both
        values.append(float((scores[0] - scores[1]).mean()))
        told.append(of_scores(scores, [1.0, -1.0], list(map(title, asked))) if np.ptp(scores) > 0 else None)
    together([row for row in told if row is not None])
    for row, value, contrast in zip(rows, values, told, strict=True):
        found = contrast.found if contrast else dict.fromkeys(("low_adjusted", "high_adjusted"), np.nan)
        low, high = (source.points(found[f"{end}_adjusted"]) for end in ("low", "high"))
        Same.interval(row["one − other, points"], source.points(value), low, high, row)
        _p(row["p, adjusted"], found.get("p_adjusted", np.nan), row)
        seen = row["could be seen, points"]
        least = source.percent(found.get("detectable", np.nan)) - source.percent(0)
        if seen == "> 100":
            assert least > 100, (row, least)
        else:
            Same.number(seen, least, row)


def _drivers(source: Source, rows: list[Line]) -> None:
    found = drivers(source.headline)
    shown = [row for row in rows if row["effect, points"] != "–"]
    assert len(shown) == len(found)
    for row in shown:
        value, low, high, p = found[row["corpus"], row["term"]]
        Same.interval(row["effect, points"], value, low, high, row, 0.02 * abs(high - low))
        if not abs(value) + abs(high - low) < 0.01:  # else both are the noise of two optimisers
            _p(row["p, adjusted"], p, row)


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


def _elsewhere(source: Source, rows: list[Line]) -> None:
    """Not recomputed here; the law's share has a test of its own (``record.law``), its coefficients have none."""


CHECKS: tuple[tuple[str, Callable[[Source, list[Line]], None]], ...] = (
    (r"^The flow of benign relearnings", _flow),
    (r"^Net recovery of every benign relearning", _net),
    (r"^Statements and their verdicts", _verdicts),
    (r"of the unlearned model, and after the last relearn step", _surface),
    (r"^Each trajectory, seeds together", _trajectory),
    (r"^Paired differences by ", _differences),
    (r"^Effects on ", _drivers),
    (r"^The controls in numbers", _controls),
    (r"^Each corpus as the plan recorded it", _ladder),
    (r"^Coefficients on the logit", _elsewhere),
    (r"the paper's (numbers|claims) beside ours", _elsewhere),
    (r"^Relearned on prefix to the last step", _elsewhere),
)
