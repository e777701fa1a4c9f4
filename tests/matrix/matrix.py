"""Every scenario × every method, through the command line: plan, Ray Tune, Parquet, report.

``python -m tests.matrix.matrix FOLDER`` runs the five studies on their miniatures and prints the table that
docs/RESULTS.md shows; what is in FOLDER already is not computed again.
"""

import subprocess
import sys
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from search_spaces.experiments.miniature import SMALL_MODEL_METHODS
from study.results.files import read_dataset
from study.results.schema import COORDINATES
from study.unlearning import METHODS
from tests.commands import COMMAND, call

SCORE = {
    "names": "keyword_anywhere",
    "tofu": "keyword_hit",
    "whp-keyword": "keyword_hit",
    "wmdp": "rouge_l",
    "whp-verbatim": "rouge_l",
}
PAPERS_CORPUS = {
    "names": "prefix",
    "tofu": "same_author",
    "whp-keyword": "same_text",
    "wmdp": "background",
    "whp-verbatim": "facts",
}
COMMON = ["start=[unlearned]", "relearn_steps=[0,5,10,20]", "seed=[0]"]
SETS = {
    "names": ["repetitions=[7]", "depth=[4,6,8,10,12]", *COMMON],
    **{name: ["depth=[4,6,8,12,24]", *COMMON] for name in ("tofu", "whp-keyword", "whp-verbatim")},
    "wmdp": ["depth=[8,12,16,20,36]", *COMMON],
}


def words_of(
    scenario: str, methods: Collection[str] = METHODS, narrower: Collection[str] = ()
) -> tuple[str, ...]:
    """What follows ``relearn run``: the space of one scenario with these methods.

    Args:
        narrower: axes with fewer values, as ``relearn run --set`` takes them.
    """
    asked = ",".join(
        each.model_dump_json() for each in SMALL_MODEL_METHODS if each.model_dump()["name"] in methods
    )
    sets = [f"corpus=[{PAPERS_CORPUS[scenario]}]", *SETS[scenario], f"method=[{asked}]", *narrower]
    space = "names" if scenario == "names" else f"{scenario}-mini"
    return space, *(part for change in sets for part in ("--set", change))


def planned(words: tuple[str, ...], folder: Path) -> None:
    """Fails where the study cannot be planned."""
    code, output = call("plan", *words, cwd=folder)
    assert code == 0, output


def run(words: tuple[str, ...], study: Path) -> None:
    """On a local Ray, in a process of its own."""
    subprocess.run([*COMMAND, "run", *words, "--study", str(study)], check=True)


def reported(study: Path) -> Path:
    """The study, with its report."""
    code, output = call("report", study, cwd=study.parent)
    assert code == 0, output
    return study


def run_all(folder: Path) -> dict[str, Path]:
    """All five, two at a time: a study begins with one long chain of stages, during which a core is free."""
    for scenario in SCORE:
        planned(words_of(scenario), folder)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda scenario: run(words_of(scenario), folder / scenario), SCORE))
    return {scenario: reported(folder / scenario) for scenario in SCORE}


def effects(scenario: str, study: Path) -> pd.DataFrame:
    """What each method lost of the original's score, and what relearning on the paper's corpus regained.

    Of the depths that lost half of the original's score, the one where relearning regains most stands for
    the method; where no depth lost half of it, the one that lost most. ``likelier`` is by how much of itself the
    target's negative log-likelihood fell again, at the depth of those where that is most.
    """
    cells = read_dataset(study, "cells", [*COORDINATES, "split", "metric", "value"]).to_pandas()
    forget = cells[cells["split"] == "forget"]
    score = forget[forget["metric"] == SCORE[scenario]]
    surprise = forget[(forget["metric"] == "target_nll") & (forget["start"] == "unlearned")]
    original = float(score[(score["start"] == "original") & (score["corpus"] == "none")]["value"].iloc[0])
    relearned = score[score["start"] == "unlearned"]
    rows = []
    for method, of_method in relearned.groupby("method"):
        wide = of_method.pivot(index="depth", columns="relearn_steps", values="value")
        after = wide.drop(columns=0)
        lost = wide[wide[0] <= original / 2]
        depth = (after.max(axis=1) - wide[0])[lost.index].idxmax() if len(lost) else wide[0].idxmin()
        nats = surprise[surprise["method"] == method].pivot(
            index="depth", columns="relearn_steps", values="value"
        )
        fell = 1 - nats.drop(columns=0).min(axis=1) / nats[0]
        rows.append(
            {
                "scenario": scenario,
                "method": str(method).partition("(")[0],
                "original": original,
                "depth": depth,
                "unlearned": wide.loc[depth, 0],
                "relearned": after.loc[depth].max(),
                "after": after.loc[depth].idxmax(),
                "likelier": fell[lost.index].max() if len(lost) else fell[depth],
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    began = time.monotonic()
    table = pd.concat([effects(*each) for each in run_all(Path(sys.argv[1])).items()])
    percent = table.assign(
        **{name: (100 * table[name]).round() for name in ("original", "unlearned", "relearned", "likelier")}
    )
    sys.stdout.write(percent.to_string(index=False) + f"\n{time.monotonic() - began:.0f} s\n")
