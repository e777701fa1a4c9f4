"""The names experiment's first table: what comes back by repetitions, beside the paper's numbers."""

import pandas as pd

from analysis.measures.recovery.before_and_after import rate_over_seeds
from analysis.paper.published import EXPERIMENTS


def repetitions_table(rows: pd.DataFrame, corpus: str = "prefix") -> pd.DataFrame:
    """The attack success rate by repetitions, before and after relearning, beside the paper's.

    Args:
        rows: of ``analysis.measures.recovery.flow``.
        corpus: the relearn corpus.

    Returns:
        A row per (model, method, repetition count): ``original``, ``unlearned`` and ``relearned`` (a ``Rate`` each: the
        last two over the relearnings that count), ``cells`` of them; ``not_known`` and ``not_forgotten``, those left
        out; ``paper_unlearned`` and ``paper_relearned``, in words.
    """
    last = rows[(rows["corpus"] == corpus) & (rows["scenario"] == "names")]
    reported = {each.repetitions: each for each in EXPERIMENTS["names"].reported if each.repetitions}
    groups = [
        (values, part)
        for (model, method), mine in last.groupby(["model", "method"], sort=False)
        for values, part in [
            ((model, method, count), of_count)
            for count, of_count in sorted(mine.groupby("repetitions"), reverse=True)
        ]
    ]
    kept = [part[part["counts"]] for _, part in groups]
    before, after = ([rate_over_seeds(part, name) for part in kept] for name in ("before", "value"))
    original = [rate_over_seeds(part, "original") for _, part in groups]
    made = []
    for at, ((model, method, count), part) in enumerate(groups):
        paper = reported.get(int(str(count)))
        known = part["known"].fillna(False).astype(bool)
        made.append(
            {
                "model": model,
                "method": method,
                "repetitions": count,
                "original": original[at],
                "unlearned": before[at],
                "relearned": after[at],
                "cells": len(kept[at]),
                "not_known": int((~known).sum()),
                "not_forgotten": int((known & ~part["counts"]).sum()),
                "paper_unlearned": paper.before if paper else None,
                "paper_relearned": paper.after if paper else None,
            }
        )
    return pd.DataFrame(made)
