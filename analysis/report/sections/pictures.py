"""The sections that are pictures with their numbers: surface, contour, curves, controls, methods, corpus ladder."""

from collections.abc import Iterable
from typing import Any

from analysis.charts.chart import Chart
from analysis.charts.contours import contour_charts, contour_rows
from analysis.charts.controls import controls as control_charts
from analysis.charts.curves import curves as curve_charts
from analysis.charts.heatmaps import heatmaps
from analysis.charts.ladder import ladder_rows, ladders
from analysis.charts.methods import methods as method_charts
from analysis.charts.panels import in_front
from analysis.report.elements import Section, Table, percent, table_of
from analysis.report.measured_study import MeasuredStudy
from analysis.report.sections.flow import over_seeds
from analysis.report.sections.trajectories import difference_table, trajectory_table


def surface(study: MeasuredStudy) -> Section | None:
    """The headline metric over depth × relearn steps."""
    caption = (
        f"{in_front(study.headline.words, '')} of the unlearned model, and after the last relearn step, of every "
        "relearning; mean over seeds, with the lowest and the highest seed where they differ"
    )
    table = _table(_surface_rows(study), caption, text=("model", "method", "corpus"))
    return _section("surface", "The surface", heatmaps(study, study.pooled), table)


def _surface_rows(study: MeasuredStudy) -> list[dict[str, Any]]:
    rows = study.flow
    if rows.empty:
        return []
    place = [
        name
        for name in ("model", "method", "corpus", "repetitions", "depth")
        if rows[name].nunique() > 1 or name == "depth"
    ]
    return [
        {
            **dict(zip(place, values, strict=True)),
            "seeds": int(part["seed"].nunique()),
            **over_seeds("before", part["before"]),
            **over_seeds("after", part["value"]),
            "last step": ", ".join(map(str, sorted(part["relearn_steps"].unique()))),
        }
        for values, part in rows.groupby(place, sort=False)
    ]


def contour(study: MeasuredStudy) -> Section | None:
    """The relearn steps until half of the queries are answered, against depth; a search has its own frontier."""
    if study.search is not None:
        return None
    charts = contour_charts(study, contour_rows(study, study.by_answers))
    return _section("contour", "The 50% contour", charts)


def curves(study: MeasuredStudy) -> Section | None:
    """The headline metric against relearn steps, and what each trajectory measures."""
    words, table = (trajectory_table(study) if study.by_answers else None) or ((), None)
    return _section("curves", "Along the relearning", curve_charts(study.pooled), table, words=words)


def controls(study: MeasuredStudy) -> Section | None:
    """The models that were not unlearned: where each begins, and the most it reaches."""
    rows = study.headline_cells
    rows = rows[rows["start"].isin(["base", "original", "never_learned"])]
    made = []
    place = ["model", "start", "depth", "corpus", "repetitions"]
    for values, cells in rows.groupby(place, observed=True):
        model, start, depth, corpus, repetitions = map(str, values)
        first = cells.loc[cells["relearn_steps"] == 0, "value"]
        made.append(
            {
                **({"model": model} if len(study.models) > 1 else {}),
                "start": start.replace("_", " "),
                **({"depth": int(depth)} if rows["depth"].nunique() > 1 else {}),
                "corpus": corpus,
                "repetitions": int(repetitions),
                "seeds": int(cells["seed"].nunique()),
                "before relearning": percent(study.headline.percent(first.mean())),
                "most in any cell": percent(study.headline.percent(cells["value"].max())),
            }
        )
    table = _table(made, "The controls in numbers", text=("model", "start", "corpus"))
    return _section("controls", "The controls", control_charts(study.pooled), table)


def methods(study: MeasuredStudy) -> Section | None:
    """Methods side by side."""
    return _section(
        "methods",
        "Methods compared",
        method_charts(study.headline, study.flow),
        _differences(study, "method"),
    )


def ladder(study: MeasuredStudy) -> Section | None:
    """What relearning brings back, against how near the corpus is to the forget set."""
    rows = ladder_rows(study, study.flow)
    several = [name for name in ("model", "method") if len(rows) and rows[name].nunique() > 1]
    made = [
        {
            **{name: row[name] for name in several},
            "corpus": row["corpus"],
            "repetitions": row["repetitions"],
            "benign": "yes" if row["benign"] else "no",
            "words": row["words"],
            "shared words": percent(100 * row["lexical_overlap"]),
            "edit distance": f"{row['edit_distance']:.2f}",
            "longest shared run, words": row["shared_run"],
            "relearned, mean": percent(row["mean"]),
            "lowest": percent(row["lowest"]),
            "highest": percent(row["highest"]),
            "relearnings that count": row["trajectories"],
            "last step": row["steps"] or "–",
            "control": percent(row["control"]),
        }
        for row in rows.to_dict("records")
    ]
    caption = "Each corpus as the plan recorded it, and what it brings back"
    table = _table(made, caption, text=("model", "method", "corpus", "benign"))
    return _section("ladder", "The corpus ladder", ladders(study, rows), table, _differences(study, "corpus"))


def _differences(study: MeasuredStudy, axis: str) -> Table | None:
    return difference_table(study, axis) if study.by_answers else None


def _table(rows: list[dict[Any, Any]], caption: str, text: Iterable[str]) -> Table | None:
    """A table with some columns of text, all others of numbers; None without rows."""
    if not rows:
        return None
    columns = {name: name not in set(text) for name in rows[0]}
    return table_of(columns, [{name: row.get(name, "–") for name in columns} for row in rows], caption)


def _section(
    anchor: str, title: str, charts: Iterable[Chart], *tables: Table | None, words: tuple[str, ...] = ()
) -> Section | None:
    drawn, kept = tuple(charts), tuple(table for table in tables if table is not None)
    return Section(anchor, title, words, drawn, kept) if drawn or kept else None
