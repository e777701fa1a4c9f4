"""Questions with answers, as texts to learn and as probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from study.errors import SpecError
from study.scenarios.sources import read_table
from study.text.examples import Corpus, Example, Probe
from study.text.words import holds, words

TEMPLATE = "Question: {question}\nAnswer:"


@dataclass(frozen=True)
class Pair:
    """A question and its answer."""

    question: str
    answer: str

    def example(self, template: str) -> Example:
        """As a text to learn: the loss counts the answer."""
        return Example(self.answer, prompt=template.format(question=self.question), closed=True)

    def probe(self, name: str, split: str, template: str, keywords: tuple[str, ...] = ()) -> Probe:
        """As a query whose continuation should be the answer, or hold a keyword of it."""
        return Probe(name, split, template.format(question=self.question), self.answer, keywords)

    def holds(self, phrase: str) -> bool:
        """Whether a phrase stands in question or answer as whole words, in any case."""
        return holds(self.question, phrase, any_case=True) or holds(self.answer, phrase, any_case=True)

    def answers_with(self, phrase: str) -> bool:
        """Whether the answer holds a phrase as whole words, in any case, and the question does not give it away."""
        return holds(self.answer, phrase, any_case=True) and not holds(self.question, phrase, any_case=True)


def of_words(phrases: tuple[str, ...], what: str) -> tuple[str, ...]:
    """The phrases, each of which a score can find.

    Raises:
        ValueError: there is none, or one has neither letters nor digits.
    """
    without = [phrase for phrase in phrases if not words(phrase)]
    if not phrases or without:
        raise ValueError(
            f"expected {what}, got {repr(without[0]) + ', which holds no word' if without else 'none'}"
        )
    return phrases


def read_pairs(source: str, key: str) -> list[Pair]:
    """The pairs of a table with the columns ``question`` and ``answer``; see ``sources.read_table``."""
    rows = read_table(source, ("question", "answer"), key)
    return [Pair(row.text("question"), row.text("answer")) for row in rows]


def corpus(pairs: Sequence[Pair], template: str) -> Corpus:
    """Pairs as texts to learn."""
    return Corpus(tuple(pair.example(template) for pair in pairs))


def refuse_overlap(forget: Sequence[Pair], retain: Sequence[Pair], where: str) -> None:
    """What is unlearned must not be retained too.

    Raises:
        SpecError: a pair stands in both.
    """
    both = set(forget) & set(retain)
    if both:
        first = min(both, key=lambda pair: pair.question)
        raise SpecError(
            f"{where}: {len(both)} pairs stand in the forget and in the retain set, such as "
            f"{first.question!r}; take them out of one"
        )


def check_template(template: str) -> str:
    """Checks that a template has ``{question}`` in it and no other field.

    Raises:
        ValueError: it does not.
    """
    try:
        filled = template.format(question="?")
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"expected a text with {{question}} in it and no other braces ({error})") from error
    if "?" not in filled:
        raise ValueError("expected a text with {question} in it")
    return template


Template = Annotated[str, AfterValidator(check_template)]
"""The text of a question, with ``{question}`` in it."""
