"""Answers that score less than they should, however well a model knows them.

A tokenizer may give back another text than it was given (it lower-cases, or leaves out accents), and an answer may be
longer than what is generated. Then the asked answer itself, word for word, does not reach the score of its own text.
Such scores are told and not refused: a lower-cased ``exact`` says nothing, and ROUGE-L beside it still does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.driver.preflight.checks import by_source, has_no_tokenizer
from study.planning.plan import Plan
from study.planning.stages import Embedded, Evaluation, Pretrained
from study.text.examples import Probe

SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class UnreachableScores:
    """Scores that some asked answers cannot reach, with one example.

    Attributes:
        scores: their columns: how many answers have the score, and how many of those score less than their own
            text does.
        asked, returned: the first of those, and what it comes back as.
        cut: whether it is longer than ``generation.max_new_tokens``.
    """

    scores: dict[str, tuple[int, int]]
    asked: str
    returned: str
    cut: bool

    @property
    def in_words(self) -> str:
        """On one line."""
        asked, returned = self.asked[:SHOWN_CHARACTERS], self.returned[:SHOWN_CHARACTERS]
        why = "it is longer than generation.max_new_tokens" if self.cut else "by the tokenizer"
        counts = ", ".join(
            f"{name} in {lost:,} of {answers:,}" for name, (answers, lost) in self.scores.items()
        )
        return (
            f"whatever the model knows, asked answers cannot reach their best {counts}: {asked!r} comes back as "
            f"{returned!r} ({why})"
        )


def unreachable_scores(plan: Plan) -> tuple[UnreachableScores, ...]:
    """The scores that some answer of the plan cannot reach, an entry an example."""
    from study.evaluation.scorers import SCORERS

    found = [
        answer
        for source, (_, evaluations) in by_source(plan).items()
        if isinstance(source, Embedded) or not has_no_tokenizer(Path(source.location))
        for evaluation in evaluations.values()
        for answer in _returned(source, evaluation)
    ]
    by_example: dict[tuple[str, str, bool], dict[str, tuple[int, int]]] = {}
    for name, score in SCORERS.items():
        scored = [
            ((probe.target, returned, cut), float(best), float(score(probe, returned) or 0.0))
            for probe, returned, cut in found
            if (best := score(probe, probe.target)) is not None
        ]
        lost = [answer for answer, best, value in scored if value < best]
        if lost:
            by_example.setdefault(lost[0], {})[name] = (len(scored), len(lost))
    return tuple(UnreachableScores(scores, *example) for example, scores in by_example.items())


def _returned(source: Embedded | Pretrained, evaluation: Evaluation) -> Iterator[tuple[Probe, str, bool]]:
    """Each probe with its answer as it comes back from the tokenizer, no longer than what is generated."""
    from study.models.token_ids import split_text
    from study.models.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(source)
    for probe in evaluation.probes.probes:
        encoded = split_text(tokenizer, probe.prompt, f" {probe.target}")
        answer = encoded.ids[encoded.prompt :]
        generated = answer[: evaluation.generation.max_new_tokens]
        yield (
            probe,
            str(tokenizer.decode(generated, skip_special_tokens=True)),
            len(generated) < len(answer),
        )
