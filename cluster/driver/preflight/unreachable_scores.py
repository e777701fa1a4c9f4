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
class UnreachableScore:
    """A score that some asked answers cannot reach.

    Attributes:
        score: its column.
        answers: asked answers that have this score.
        unreachable: how many of them score less than their own text does.
        asked, returned: the first of those, and what it comes back as.
        cut: whether it is longer than ``generation.max_new_tokens``.
    """

    score: str
    answers: int
    unreachable: int
    asked: str
    returned: str
    cut: bool

    @property
    def in_words(self) -> str:
        """On one line."""
        asked, returned = self.asked[:SHOWN_CHARACTERS], self.returned[:SHOWN_CHARACTERS]
        why = "it is longer than generation.max_new_tokens" if self.cut else "by the tokenizer"
        return (
            f"{self.unreachable:,} of {self.answers:,} asked answers cannot reach their best {self.score}, whatever "
            f"the model knows: {asked!r} comes back as {returned!r} ({why})"
        )


def unreachable_scores(plan: Plan) -> tuple[UnreachableScore, ...]:
    """The scores that some answer of the plan cannot reach, in the order of the columns."""
    from study.evaluation.scorers import SCORERS

    found = [
        answer
        for source, (_, evaluations) in by_source(plan).items()
        if isinstance(source, Embedded) or not has_no_tokenizer(Path(source.location))
        for evaluation in evaluations.values()
        for answer in _returned(source, evaluation)
    ]
    unreachable = []
    for name, score in SCORERS.items():
        scored = [
            ((probe.target, returned, cut), float(best), float(score(probe, returned) or 0.0))
            for probe, returned, cut in found
            if (best := score(probe, probe.target)) is not None
        ]
        lost = [answer for answer, best, value in scored if value < best]
        if lost:
            unreachable.append(UnreachableScore(name, len(scored), len(lost), *lost[0]))
    return tuple(unreachable)


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
