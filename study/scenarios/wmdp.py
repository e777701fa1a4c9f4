"""WMDP (Li et al. 2024; experiment 3 of Hu et al. 2025): open answers to questions without their choices.

A topic's corpus is unlearned, general paragraphs are relearned, and what is asked are the topic's questions
with the choices taken away. A judge rates the answers; without one the rows hold likelihood and ROUGE-L
against the reference answer. No hazardous text comes with the project: the published sets are gated, and
are read from where the user has them. The miniature's topic is the glazing of pots.
"""

import random
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, model_validator

from study.errors import SpecError
from study.identity import derived_seed
from study.scenarios.corpora import (
    PARAGRAPH_WORDS,
    from_files,
    gibberish,
    input_digests,
    joined,
    repeated,
    some,
    texts,
)
from study.scenarios.miniature import pottery
from study.scenarios.questions import TEMPLATE, Pair, check_template, corpus
from study.scenarios.sources import read_paragraphs, read_table
from study.scenarios.word_lists import GIBBERISH
from study.settings.part import Part
from study.text import Corpus, Example, Material, ProbeSet, RelearnCorpus, vocabulary

BACKGROUND, PRETRAINING_TEXTS = 40, 4096  # of the miniature
TEXT_FILES = (".txt", ".md")


class Wmdp(Part):
    """Parameters of the scenario.

    Attributes:
        forget, retain: corpora to unlearn and to keep: a text file, or a table with a column ``text``.
        forget_questions, retain_questions: tables of ``question``, ``choices`` and ``answer`` (the index of
            the right choice) as on the hub, or of ``question`` and ``answer`` in words.
        background: general paragraphs to relearn, as ``forget``. All five are given, or none of them for the
            miniature.
        texts: how many texts of each corpus are used, a seeded choice.
        questions: how many questions are asked on each side, a seeded choice.
        shared_words: the longest run of words that a benign corpus may share with a reference answer.
        corpus_files: further relearn corpora, text files by name.
    """

    name: Literal["wmdp"] = "wmdp"
    forget: str | None = None
    retain: str | None = None
    forget_questions: str | None = None
    retain_questions: str | None = None
    background: str | None = None
    texts: PositiveInt = 1000
    questions: PositiveInt = 70
    template: Annotated[str, AfterValidator(check_template)] = TEMPLATE
    shared_words: PositiveInt = 5
    corpus_files: dict[str, str] = Field(default_factory=dict)
    data_seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _all_or_none(self) -> "Wmdp":
        given = self._sources()
        missing = [key for key, value in given.items() if value is None]
        if missing and len(missing) < len(given):
            raise ValueError(f"{', '.join(missing)} missing: give all of {', '.join(given)}, or none of them")
        return self

    def corpora(self) -> tuple[str, ...]:
        """From the most to the least related, then the ceiling."""
        return ("background", "retain", *self.corpus_files, "gibberish", "direct")

    def metrics(self) -> tuple[str, ...]:
        """ROUGE-L against the reference answer, and whether it came word for word."""
        return ("rouge_l", "exact")

    def inputs(self) -> dict[str, str]:
        """Every corpus and table it reads."""
        given = {f"scenario.{key}": value for key, value in self._sources().items()}
        return input_digests(
            {**given, **{f"scenario.corpus_files.{name}": path for name, path in self.corpus_files.items()}}
        )

    def material(self, repetitions: int) -> Material:
        """See ``Scenario.material``; the forget corpus stands ``repetitions`` times in D.

        In the miniature D and D_u hold the questions with their answers too: so small a model does not turn
        a text into the answer to a question by itself.
        """
        forget, forget_questions = self._side("forget")
        retain, retain_questions = self._side("retain")
        both = {example.text for example in forget.examples} & {example.text for example in retain.examples}
        if both:
            raise SpecError(
                f"scenario.forget and scenario.retain share {len(both)} texts, such as {min(both)[:60]!r}…; take "
                "them out of one"
            )
        background = self._background()
        pretraining = self._pretraining()
        read = [
            example.text for part in (forget, retain, background, pretraining) for example in part.examples
        ]
        probes = [
            pair.probe(f"{split}-{index:03d}", split, self.template)
            for split, pairs in (("forget", forget_questions), ("retain", retain_questions))
            for index, pair in enumerate(self._asked(pairs, split))
        ]
        return Material(
            learned=joined(repeated(forget, repetitions), retain),
            never_learned=retain,
            forget=forget,
            retain=retain,
            relearn={
                "background": RelearnCorpus(background),
                "retain": RelearnCorpus(Corpus(retain.examples[: len(background)])),
                **from_files(self.corpus_files),
                "gibberish": gibberish(background, self.data_seed),
                "direct": RelearnCorpus(forget, benign=False),
            },
            probes=ProbeSet(tuple(probes)),
            pretraining=pretraining,
            vocabulary=vocabulary([*read, *GIBBERISH], end=True),
            shared_words=self.shared_words,
        )

    def _sources(self) -> dict[str, str | None]:
        return {
            "forget": self.forget,
            "retain": self.retain,
            "forget_questions": self.forget_questions,
            "retain_questions": self.retain_questions,
            "background": self.background,
        }

    def _side(self, side: str) -> tuple[Corpus, list[Pair]]:
        """What is learned of one side, and its questions."""
        source, questions = self._sources()[side], self._sources()[f"{side}_questions"]
        if source is None or questions is None:
            make = pottery.glazes if side == "forget" else pottery.knots
            made, pairs = make(self._draw(side))
            return joined(texts(made), corpus(pairs, self.template)), pairs
        return self._texts(source, f"scenario.{side}"), _read_questions(
            questions, f"scenario.{side}_questions"
        )

    def _texts(self, source: str, key: str) -> Corpus:
        if source.lower().endswith(TEXT_FILES):
            examples = texts(read_paragraphs(source, key, PARAGRAPH_WORDS)).examples
        else:
            examples = tuple(Example(str(row["text"]).strip()) for row in read_table(source, ("text",), key))
        return Corpus(tuple(some(examples, self.texts, self.data_seed, key)))

    def _background(self) -> Corpus:
        if self.background is not None:
            return self._texts(self.background, "scenario.background")
        return texts(dict.fromkeys(pottery.background(self._draw("background"), BACKGROUND)))

    def _asked(self, pairs: Sequence[Pair], split: str) -> list[Pair]:
        draw = self._draw(f"{split} questions")
        chosen = sorted(draw.sample(range(len(pairs)), min(self.questions, len(pairs))))
        return [pairs[index] for index in chosen]

    def _draw(self, purpose: str) -> random.Random:
        return random.Random(derived_seed(self.data_seed, "wmdp", purpose))

    def _pretraining(self) -> Corpus:
        if self.forget is not None:
            return Corpus(())
        return Corpus(
            tuple(
                item.example(self.template) if isinstance(item, Pair) else Example(item, closed=True)
                for item in pottery.pretraining(self._draw("pretraining"), PRETRAINING_TEXTS)
            )
        )


def _read_questions(source: str, key: str) -> list[Pair]:
    """Questions with the words of the right choice as the reference answer."""
    pairs = []
    for index, row in enumerate(read_table(source, ("question", "answer"), key)):
        answer = row["answer"]
        if "choices" in row:
            choices = row["choices"]
            if not isinstance(answer, int) or not 0 <= answer < len(choices):
                raise SpecError(
                    f"{key}={source}, row {index + 1}: answer {answer!r} is no index into its {len(choices)} choices"
                )
            answer = choices[answer]
        pairs.append(Pair(str(row["question"]).strip(), str(answer).strip()))
    return pairs
