"""Which relearnings count: the flow, and what came back net of the control."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.measures.recovery.best_step import best_steps
from analysis.measures.recovery.flow import INTACT, KNOWN, RECOVERED, flow_line, told, utility_metric
from analysis.measures.trajectories import TRAJECTORY
from analysis.report.elements import Section, Table, percent, table_of, with_interval
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
        "recovered each count what is left of the one before, a dash where it is known of none; the columns after them "
        "are of all that knew and forgot.",
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
            "known": told(row, "known"),
            "forgotten": told(row, "forgotten"),
            "retain kept, median": percent(100 * row["retain"]),
            "intact": told(row, "intact"),
            "recovered": told(row, "recovered"),
            "recovered, intact or not": row["any_recovered"],
            "at the best step": row["any_recovered_at_best"],
            "cannot be said": row["unsaid"],
        }
        for row in flow_line(rows, GROUP).to_dict("records")
    ]
    alike = [name for name in ("model", "method") if rows[name].nunique() == 1]
    columns = {name: name not in ("model", "method") for name in made[0] if name not in alike}
    return table_of(columns, made, "The flow of benign relearnings, over corpora and depths")


def _net_table(study: MeasuredStudy, rows: pd.DataFrame) -> Table:
    place = [name for name in TRAJECTORY if rows[name].nunique() > 1] or ["corpus"]
    benign = study.net_recovery[study.net_recovery["benign"]]
    chosen: dict[Any, Any] = best_steps(benign).set_index(place).to_dict("index")
    made = []
    for values, part in rows.groupby(place, sort=False):
        shown: Mapping[Any, Any] = chosen.get(values if len(place) > 1 else values[0], {})
        reasons = part.loc[part["net"].isna(), "why_no_net"]
        made.append(
            {
                **dict(zip(place, values if isinstance(values, tuple) else (values,), strict=True)),
                "seeds": int(part["seed"].nunique()),
                "that count": int(part["counts"].sum()),
                **over_seeds("original", part["original"]),
                **over_seeds("before", part["before"]),
                **over_seeds("last", part["value"]),
                **over_seeds("control", part["control"]),
                "last step": _range(part["relearn_steps"]),
                **_share("net recovery", shown, "net", "low", "high"),
                "best step": str(shown.get("best_step", "–")),
                **_share("at the best step", shown, "best_net", "best_low", "best_high"),
                **over_seeds("retain kept", part["retain_before"] / part["retain_original"]),
                **over_seeds("retain kept, last", part["retain"] / part["retain_original"]),
                "not shown": "; ".join(f"{count} × {why}" for why, count in reasons.value_counts().items()),
            }
        )
    text = {"scenario", "model", "method", "start", "corpus", "not shown"}
    columns = {name: name not in text for name in made[0]}
    caption = (
        f"Net recovery of every benign relearning, of {study.headline.words}: (last − control) ÷ (original − control), "
        "with 95% over the seeds in which it can be shown at every step. At the best step the interval is of "
        "all steps at once, since that step was chosen as the largest. Of all else the mean over seeds, with "
        "the lowest and the highest where they differ"
    )
    return table_of(columns, made, caption)


def _share(name: str, shown: Mapping[Any, Any], of: str, low: str, high: str) -> dict[str, str]:
    """A share with its interval in percent; dashes where there is none."""
    if of not in shown:
        return with_interval(name, "–", "–", "–")
    return with_interval(name, *(percent(100 * float(shown[each])) for each in (of, low, high)))


def over_seeds(name: str, values: "pd.Series[float]") -> dict[str, str]:
    """Mean, lowest and highest seed in percent; dashes without any, and no range where the seeds agree."""
    shares = 100 * values.dropna()
    if shares.empty:
        return with_interval(name, "–", "–", "–", of_seeds=True)
    low, high = percent(float(shares.min())), percent(float(shares.max()))
    ends = ("–", "–") if low == high else (low, high)
    return with_interval(name, percent(float(shares.mean())), *ends, of_seeds=True)


def _range(steps: "pd.Series[int]") -> str:
    low, high = int(steps.min()), int(steps.max())
    return str(low) if low == high else f"{low} to {high}"
