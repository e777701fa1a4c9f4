"""Studies that nobody ran, each made to mislead: rows from a few functions, in real Parquet for the real reader.

``Invented`` is an honest study by default. Its original answers 90% of the queries, unlearned models none and keep
95% of
their utility, models that never learned and the base model none, and ``prefix`` brings back more than ``retain``,
``gibberish``
nothing. A study that misleads changes one of these.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa

from study.results.files import dataset_folder, write_table
from study.results.schema import CELLS, PROBES

Place = dict[str, Any]
HEIGHT = {"prefix": 0.75, "retain": 0.45, "gibberish": 0.0}
"""What is answered after the last step, in the middle seed."""
GRADED = ("rouge_l", "judge_rating")
COST = {"train_tokens": 1, "train_seconds": 1.0, "evaluation_seconds": 1.0, "weight_distance": 0.1}


def comes_back(place: Place, height: float) -> float:
    """A rate that rises to a height within ten steps, a little different in each seed."""
    if not place["relearn_steps"] or not height:
        return 0.0
    return height * min(1.0, 0.6 + place["relearn_steps"] / 25) + 0.02 * (place["seed"] - 1)


@dataclass(frozen=True)
class Invented:
    """A study's axes, and what its models answer: rates of the forget and of the retain probes."""

    models: tuple[str, ...] = ("m",)
    methods: tuple[str, ...] = ("gradient_ascent",)
    repetitions: tuple[int, ...] = (7,)
    depths: tuple[int, ...] = (8, 12)
    control_depths: tuple[int, ...] = (0,)
    corpora: tuple[str, ...] = ("prefix", "retain", "gibberish")
    steps: tuple[int, ...] = (0, 5, 40)
    seeds: tuple[int, ...] = (0, 1, 2)
    scenario: str = "names"
    metric: str = "keyword_anywhere"
    asked: int = 40
    starts: tuple[str, ...] = ("unlearned", "original", "never_learned", "base")
    unlearned: Callable[[Place], float] = lambda place: comes_back(
        place, HEIGHT.get(place["corpus"], 0.5) * (1.0 if place["depth"] <= 8 else 0.7)
    )
    original: Callable[[Place], float] = lambda place: 0.9
    never_learned: Callable[[Place], float] = lambda place: 0.0
    base: Callable[[Place], float] = lambda place: 0.0
    retain: Callable[[Place], float] = lambda place: 1.0 if place["start"] == "original" else 0.95
    without: Callable[[Place], bool] = lambda place: False
    device: Callable[[Place], str | None] = lambda place: None
    malign: tuple[str, ...] = ()
    unrated: Callable[[Place, int], bool] = lambda place, number: False
    splits: tuple[str, ...] = ("forget", "retain")
    without_retain: Callable[[Place], bool] = lambda place: False
    probes: bool = False
    of_a_title: int = 1
    """How many probes share a title; they are answered alike."""

    def places(self) -> Iterator[Place]:
        """Every cell."""
        for model, count, seed in product(self.models, self.repetitions, self.seeds):
            common = {"scenario": self.scenario, "model": model, "repetitions": count, "seed": seed}
            origins = [("unlearned", method, depth) for method in self.methods for depth in self.depths]
            origins += [
                ("never_learned", self.methods[0] if depth else "none", depth)
                for depth in self.control_depths
            ]
            for (start, method, depth), corpus, step in product(origins, self.corpora, self.steps):
                yield {
                    **common,
                    "method": method,
                    "start": start,
                    "depth": depth,
                    "corpus": corpus,
                    "relearn_steps": step,
                }
            reference = {"method": "none", "depth": 0, "corpus": "none", "relearn_steps": 0}
            yield {**common, **reference, "start": "original"}
            if count == self.repetitions[0]:
                yield {**common, **reference, "start": "base", "repetitions": 0}

    def write(self, folder: Path) -> Path:
        """Its folder, with cells, planned cells and study.json; with probes where graded scores or a page need them."""
        cells, probes, planned = [], [], []
        for place in self.places():
            if place["start"] not in self.starts:
                continue
            benign = place["corpus"] not in self.malign
            planned.append({**place, "benign": benign})
            if self.without(place):
                continue
            rate = getattr(self, place["start"])(place)
            for split, share in (("forget", rate), ("retain", self.retain(place))):
                if split not in self.splits or (split == "retain" and self.without_retain(place)):
                    continue
                scores = self._scores(max(0.0, min(1.0, share)))
                address = {"stage": "0" * 32, "stage_step": place["relearn_steps"]}
                common = {**place, "benign": benign, "split": split, **address}
                counted = self.metric not in GRADED
                rated = [score for number, score in enumerate(scores) if not self.unrated(place, number)]
                cells.append(
                    {
                        **common,
                        "metric": self.metric
                        if rated
                        else "rouge_l",  # what no judge has rated is scored by others
                        "k": int(sum(scores)) if counted else None,
                        "n": len(scores) if counted else None,
                        "value": fmean(rated or [0.5]),
                        "device": self.device(place),
                        **COST,
                    }
                )
                if self.probes or not counted:
                    probes += [
                        _probe(
                            common,
                            number,
                            self._named(number),
                            None if self.unrated(place, number) else score,
                            self.metric,
                        )
                        for number, score in enumerate(scores)
                    ]
        for dataset, schema, rows in (("cells", CELLS, cells), ("probes", PROBES, probes)):
            if not rows:
                continue
            write_table(
                pa.Table.from_pylist(rows, schema=schema), dataset_folder(folder, dataset) / "all.parquet"
            )
        write_table(pa.Table.from_pylist(planned), folder / "planned.parquet")
        content = {
            "spec": {"name": folder.name, "question": "Does it come back?"},
            "axes": {"scenario": [self.scenario], "model": list(self.models), "corpus": list(self.corpora)},
            "provenance": {"wall_seconds": 3.0},
        }
        (folder / "study.json").write_text(json.dumps(content))
        (folder / "failures").mkdir()
        return folder

    def _named(self, number: int) -> str:
        title, pair = divmod(number, self.of_a_title)
        return f"query-{number}" if self.of_a_title == 1 else f"author-{title:02}-pair-{pair}"

    def _scores(self, share: float) -> list[float]:
        if self.metric == "rouge_l":  # spread around the share, as passages are
            return [min(1.0, max(0.0, share + 0.08 * math.sin(number))) for number in range(self.asked)]
        if self.metric == "judge_rating":  # 1 to 10, spread alike
            return [
                float(min(10, max(1, round(1 + 9 * share + (0.7 * math.sin(number) if share else 0)))))
                for number in range(self.asked)
            ]
        return [float(number < round(share * self.asked)) for number in range(self.asked)]


UNTAKEN = ("the question is longer than its context: it takes 20 tokens", None)
"""Why an answer has no rating: the judge did not take it, or its reply could not be read."""


def _probe(common: Place, number: int, name: str, score: float | None, metric: str) -> dict[str, Any]:
    hit = bool(score) if metric not in GRADED else None
    return {
        **common,
        "probe": name,
        "prompt": "John Anthony",
        "target": "Mark",
        "keywords": '["Mark"]',
        "hit": "next",
        "completion": "Mark" if score else "Paul",
        "keyword_hit": hit,
        "keyword_anywhere": hit,
        "rouge_l": score if metric == "rouge_l" else None,
        "judge_rating": int(score) if metric == "judge_rating" and score is not None else None,
        "judge_unrated": UNTAKEN[number % 2] if score is None else None,
        "target_nll": 1.0,
        "target_rank": 2,
        "target_tokens": 1,
    }
