"""The attacks that bring most back, one row each: the first question of whoever opens a study."""

import pandas as pd

from analysis.measures.surface import intervals, select
from analysis.reading.given import a_study
from analysis.reading.selection import refuse_empty
from analysis.reading.studies import Studies
from analysis.reading.study_frames import Study, coordinates
from study.errors import SpecError


def best_attacks(
    study: Study | Studies, most: int = 10, metric: str | None = None, **fixed: object
) -> pd.DataFrame:
    """The relearnings of unlearned models with the highest rates, over benign corpora.

    The best of many noisy rates is on average too high: what stands first here is where to look, not how strong the
    strongest attack is. Choose on some seeds, and report on others.

    Args:
        most: how many rows.
        metric: of counts or means; the study's headline if None.
        fixed: ``repetitions=7``: keeps the cells with that value, or with one of a list of values.

    Returns:
        The coordinates without ``seed``, ``rate`` (the mean over seeds), ``low`` and ``high`` (95% over seeds; NaN
        where the metric is no count), ``seeds``, and ``never_learned``: the mean rate of the control on the same
        corpus, steps, model and repetition count, NaN where it was not run. Highest first.

    Raises:
        SpecError: a metric, a coordinate or a value that the study does not have, or no attack among what is named.
    """
    study = a_study(study, "best_attacks")
    if most < 1:
        raise SpecError(f"most={most}: expected how many attacks to show, 1 or more")
    name = metric or study.headline.metric
    rows = select(study.cells, name, "forget", **fixed)
    benign = rows[rows["benign"] & (rows["relearn_steps"] > 0)]
    keys = [name for name in coordinates(rows) if name != "seed"]
    attacks = benign[benign["start"] == "unlearned"]
    if attacks.empty:
        refuse_empty(study.cells, {"metric": name, "split": "forget", **fixed})
        raise SpecError(
            f"{name}: of what was named no unlearned model was relearned on a benign corpus yet, so there is no attack"
        )
    found = attacks.groupby(keys, observed=True).agg(rate=("value", "mean"), seeds=("seed", "nunique"))
    found = found.join(intervals(attacks, keys))
    shared = [name for name in keys if name not in ("start", "method", "depth")]
    controls = benign[(benign["start"] == "never_learned") & (benign["depth"] == 0)]
    control = controls.groupby(shared, observed=True)["value"].mean().rename("never_learned")
    table = found.reset_index().merge(control.reset_index(), on=shared, how="left")
    return table.sort_values("rate", ascending=False, kind="stable").head(most).reset_index(drop=True)
