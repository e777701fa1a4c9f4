"""The names experiment's first table: what comes back by repetitions, beside the paper's numbers."""

import pandas as pd

from analysis.measures.before_and_after import mean_rate
from analysis.paper.published import EXPERIMENTS
from analysis.reading.study_frames import Study


def repetitions_table(study: Study, corpus: str = "prefix") -> pd.DataFrame:
    """The attack success rate by repetitions, before and after relearning, beside the paper's.

    Args:
        corpus: the relearn corpus.

    Returns:
        A row per repetition count: ``unlearned`` and ``relearned`` (a ``Rate`` each), over the
        trajectories that ``was_unlearned``; ``cells`` of them and ``left_out``, those that were not
        unlearned; ``paper_unlearned`` and ``paper_relearned``, in words.
    """
    last = study.relearned
    last = last[(last["corpus"] == corpus) & (last["scenario"] == "names")]
    reported = {each.repetitions: each for each in EXPERIMENTS["names"].reported if each.repetitions}
    made = []
    for repetitions, of_count in sorted(last.groupby("repetitions"), reverse=True):
        kept = of_count[of_count["was_unlearned"]]
        before = kept.assign(k=(kept["unlearned_asr"] * kept["n"]).round(), relearn_steps=0)
        paper = reported.get(int(str(repetitions)))
        made.append(
            {
                "repetitions": repetitions,
                "unlearned": mean_rate(study, before),
                "relearned": mean_rate(study, kept),
                "cells": len(kept),
                "left_out": len(of_count) - len(kept),
                "paper_unlearned": paper.before if paper else None,
                "paper_relearned": paper.after if paper else None,
            }
        )
    return pd.DataFrame(made)
