"""WMDP (Li et al. 2024; experiment 3 of Hu et al. 2025): open answers to questions without their choices.

A topic's corpus is unlearned, general paragraphs are relearned, and the probes are the topic's questions
without their choices. A judge rates the answers; without one the rows hold likelihood and ROUGE-L
against the reference answer. No hazardous text comes with the project: the published sets are gated, and
are read from where the user has them. The miniature's topic is the glazing of pots.
"""

import random
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import PositiveInt

from study.errors import SpecError
from study.identity import derived_seed
from study.scenarios.corpora import PARAGRAPH_WORDS, joined, seeded_choice, texts
from study.scenarios.miniature import pottery
from study.scenarios.questions import TEMPLATE, Pair, Template, corpus
from study.scenarios.sources import is_text_file, read_paragraphs, read_table
from study.scenarios.text_scenario import TextScenario
from study.text.examples import Corpus, Example, Material

BACKGROUND, PRETRAINING_TEXTS = 40, 4096  # of the miniature


class Wmdp(TextScenario):
    """Parameters of the scenario.

    Attributes:
        forget, retain: corpora to unlearn and to keep: a text file, or a table with a column ``text``.
        forget_questions, retain_questions: tables of ``question``, ``choices`` and ``answer`` (the index of
            the right choice) as on the hub, or of ``question`` and ``answer`` in words.
        background: general paragraphs to relearn, as ``forget``. All five are given, or none of them for the
            miniature.
        texts: how many texts of each corpus are used, a seeded choice.
        questions: how many questions of each side are probes, a seeded choice.
        shared_words: the longest run of words that a benign corpus may share with a reference answer; a shorter answer
            may not stand in it whole (see ``leak_audit``).
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
    template: Template = TEMPLATE
    shared_words: PositiveInt = 5

    related: ClassVar[str] = "background"
    draws: ClassVar[tuple[str, ...]] = ("wmdp",)
    whole_data: ClassVar[bool] = True

    def metrics(self) -> tuple[str, ...]:
        """ROUGE-L against the reference answer, and whether it came word for word."""
        return ("rouge_l", "exact")

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
        return self._material(
            repetitions,
            forget=forget,
            retain=retain,
            related=background,
            relearned_retain=Corpus(retain.examples[: len(background)]),
            probes=[
                pair.probe(f"{split}-{index:03d}", split, self.template)
                for split, pairs in (("forget", forget_questions), ("retain", retain_questions))
                for index, pair in enumerate(self._chosen_questions(pairs, split))
            ],
            pretraining=self._pretraining(),
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
        if is_text_file(source):
            examples: Sequence[Example] = texts(read_paragraphs(source, key, PARAGRAPH_WORDS)).examples
        else:
            examples = [Example(row.text("text")) for row in read_table(source, ("text",), key)]
        # This stream's name has no scenario in it, and what a study draws must stay.
        draw = random.Random(derived_seed(self.data_seed, key))
        return Corpus(tuple(seeded_choice(examples, self.texts, draw)))

    def _background(self) -> Corpus:
        if self.background is not None:
            return self._texts(self.background, "scenario.background")
        return texts(dict.fromkeys(pottery.background(self._draw("background"), BACKGROUND)))

    def _chosen_questions(self, pairs: Sequence[Pair], split: str) -> list[Pair]:
        return seeded_choice(pairs, self.questions, self._draw(f"{split} questions"))

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
    for row in read_table(source, ("question", "answer"), key):
        answer = row.text("answer")
        if "choices" in row.cells:
            choices, index = row.cells["choices"], row.cells["answer"]
            if not isinstance(choices, list) or not choices:
                raise row.refused(f"choices is {choices!r:.60}; expected a list of texts")
            words = [row.as_text(choice, f"choice {at}") for at, choice in enumerate(choices)]
            if not isinstance(index, int) or not 0 <= index < len(words):
                raise row.refused(
                    f"answer {index!r} is no index into its {len(words)} choices, which begins at 0"
                )
            answer = words[index]
        pairs.append(Pair(row.text("question"), answer))
    return pairs
