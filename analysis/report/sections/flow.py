"""Which relearnings count: the flow, and what came back net of the control."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.measures.recovery.best_step import best_steps
from analysis.measures.recovery.flow import INTACT, KNOWN, RECOVERED, flow_line, utility_metric
from analysis.measures.trajectories import TRAJECTORY
from analysis.report.elements import Section, Table, percent, table_of
from analysis.report.measured_study import MeasuredStudy

GROUP = ["model", "method", "repetitions", "seed"]


def flow_section(study: MeasuredStudy) -> Section | None:
    """The flow for each model, method, repetition count and seed; None where nothing was relearned."""
    rows = study.flow
    rows = rows[rows["benign"]]
    if rows.empty:
        return None
    words = (
        f"A relearning counts where its model knew (the lower end of its own original is at least {100 * KNOWN:.0f}%) "
        f"and had forgotten ({study.headline.words} {study.headline.rule}). It is intact where the unlearned model "
        f"keeps at least {100 * INTACT:.0f}% of what its original reaches on the retain probes "
        f"({utility_metric(study)}); a model that forgot and is not intact was unlearned by destruction. It recovered "
        f"where net recovery at the last step is at least {100 * RECOVERED:.0f}%. Known, forgotten, intact and "
        "recovered each count what is left of the one before; the columns after them are of all that knew and forgot.",
    )
    return Section(
        "flow", "Which relearnings count", words, tables=(_flow_table(rows), _net_table(study, rows))
    )


def _flow_table(rows: pd.DataFrame) -> Table:
    made = [
        {
            **{name: row[name] for name in GROUP},
            "relearnings": row["relearnings"],
            "original": percent(100 * row["original"]),
            "known": row["known"],
            "forgotten": row["forgotten"],
            "retain kept, median": percent(100 * row["retain"]),
            "intact": row["intact"],
            "recovered": row["recovered"],
            "recovered, intact or not": row["any_recovered"],
            "at the best step": row["any_recovered_at_best"],
            "cannot be said": row["unsaid"],
        }
        for row in flow_line(rows, GROUP).to_dict("records")
    ]
    columns = {name: name not in ("model", "method") for name in made[0]}
    return table_of(columns, made, "The flow of benign relearnings, over corpora and depths")


def _net_table(study: MeasuredStudy, rows: pd.DataFrame) -> Table:
    place = [name for name in TRAJECTORY if rows[name].nunique() > 1] or ["corpus"]
    chosen = study.net_recovery
    chosen = best_steps(chosen[chosen["benign"]]).set_index(place).to_dict("index")
    made = []
    for values, part in rows.groupby(place, sort=False):
        shown = chosen.get(values if len(place) > 1 else values[0], {})
        reasons = part.loc[part["net"].isna(), "why_no_net"]
        made.append(
            {
                **dict(zip(place, values if isinstance(values, tuple) else (values,), strict=True)),
                "seeds": int(part["seed"].nunique()),
                "that count": int(part["counts"].sum()),
                "original": _seeds(part["original"]),
                "before": _seeds(part["before"]),
                "last": _seeds(part["value"]),
                "control": _seeds(part["control"]),
                "last step": _range(part["relearn_steps"]),
                "net recovery": _share(shown, "net", "low", "high"),
                "best step": str(shown.get("best_step", "–")),
                "at the best step": _share(shown, "best_net", "best_low", "best_high"),
                "retain kept": _seeds(part["retain_before"] / part["retain_original"]),
                "retain kept, last": _seeds(part["retain"] / part["retain_original"]),
                "not shown": "; ".join(f"{count} × {why}" for why, count in reasons.value_counts().items()),
            }
        )
    text = {"scenario", "model", "method", "start", "corpus", "not shown"}
    columns = {name: name not in text for name in made[0]}
    caption = (
        f"Net recovery of every benign relearning, of {study.headline.words}: (last − control) ÷ (original − control), "
        "in brackets 95% over the seeds in which it can be shown at every step. At the best step the interval is of "
        "all steps at once, since that step was chosen as the largest. Of all else the mean over seeds, in brackets "
        "the lowest and the highest"
    )
    return table_of(columns, made, caption)


def _share(shown: Mapping[Any, Any], name: str, low: str, high: str) -> str:
    """A share with its interval in percent; a dash where there is none."""
    if name not in shown:
        return "–"
    ends = "" if pd.isna(shown[low]) else f" ({100 * shown[low]:z.0f} to {100 * shown[high]:z.0f})"
    return f"{100 * shown[name]:z.0f}%{ends}"


def _seeds(values: "pd.Series[float]") -> str:
    """Mean, lowest and highest seed in percent; a dash without any."""
    values = 100 * values.dropna()
    if values.empty:
        return "–"
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return f"{values.mean():.0f}%" + (f" ({low} to {high})" if low != high else "")


def _range(steps: "pd.Series[int]") -> str:
    low, high = int(steps.min()), int(steps.max())
    return str(low) if low == high else f"{low} to {high}"
