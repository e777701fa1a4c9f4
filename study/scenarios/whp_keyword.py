"""Who's Harry Potter, by keyword (experiment 2 of Hu et al. 2025): does a heroine's name come back?

The forget text is questions and answers, or prose. The probes are the questions that her name answers and that do not
name her; the corpus ``same_text`` is the forget text without the parts that name her.
"""

from typing import ClassVar, Literal

from pydantic import NonNegativeInt, PositiveInt, field_validator

from study.errors import SpecError
from study.scenarios.corpora import PARAGRAPH_WORDS, joined, texts
from study.scenarios.miniature import saga
from study.scenarios.questions import TEMPLATE, Pair, Template, corpus, of_words, read_pairs, refuse_overlap
from study.scenarios.sources import is_text_file, read_paragraphs
from study.scenarios.text_scenario import TextScenario
from study.text.anchors import replaced
from study.text.examples import Corpus, Example, Material
from study.text.words import holds

MINIATURE_ANCHORS = {"Mirabel": "Avice", "Thorne": "Glass"}
RETAIN_PAIRS = 40  # of the miniature
PRETRAINING_PAIRS = 4096


class WhpKeyword(TextScenario):
    """Parameters of the scenario.

    Attributes:
        forget: a table of ``question`` and ``answer``, or a text file of prose; None: the saga of a
            miniature.
        retain: the same of what is not to be forgotten; needed where ``forget`` is given.
        probes: a further table of questions that the heroine answers.
        forget_probes: how many further probes are taken evenly from the questions of ``forget`` that do not name her:
            they have no keyword, and count in likelihood and ROUGE-L alone.
        keywords: the parts of her name; a completion that has one of them is a hit.
        anchors: telling terms of the forget text and their generic replacements, for the method ``whp``; None: none,
            or those of the miniature.
        retain_pairs: how many texts of ``retain`` belong to D.
        retain_probes: how many of them are probes, where they are questions.
        corpus_files: further relearn corpora, text files by name.
    """

    name: Literal["whp-keyword"] = "whp-keyword"
    forget: str | None = None
    retain: str | None = None
    probes: str | None = None
    forget_probes: NonNegativeInt = 0
    keywords: tuple[str, ...] = saga.HEROINE
    anchors: dict[str, str] | None = None
    retain_pairs: PositiveInt = 80
    retain_probes: PositiveInt = 20
    template: Template = TEMPLATE

    related: ClassVar[str] = "same_text"
    draws: ClassVar[tuple[str, ...]] = ("saga",)

    @field_validator("keywords")
    @classmethod
    def _some_keyword(cls, keywords: tuple[str, ...]) -> tuple[str, ...]:
        return of_words(keywords, "the parts of a name")

    @field_validator("anchors")
    @classmethod
    def _terms_of_words(cls, anchors: dict[str, str] | None) -> dict[str, str] | None:
        if anchors:
            of_words(tuple(anchors), "terms to replace")
        return anchors

    def metrics(self) -> tuple[str, ...]:
        """The keyword counts, and ROUGE-L against the true answer."""
        return ("keyword_hit", "keyword_anywhere", "exact", "rouge_l")

    def material(self, repetitions: int) -> Material:
        """See ``Scenario.material``; the forget text stands ``repetitions`` times in D."""
        pairs, prose = self._read(self.forget, "scenario.forget")
        others, other_prose = self._read(self.retain, "scenario.retain")
        refuse_overlap(pairs, others, "scenario.forget and scenario.retain")
        others, other_prose = others[: self.retain_pairs], other_prose[: self.retain_pairs]
        forget = joined(corpus(pairs, self.template), texts(prose))
        retain = joined(corpus(others, self.template), texts(other_prose))
        same_text = Corpus(tuple(example for example in forget.examples if not self._names_her(example.text)))
        hers = [*(pair for pair in pairs if self._answered_by_her(pair)), *self._given_probes()]
        if not hers:
            raise SpecError(
                f"scenario whp-keyword: no probe is left: no answer holds {' or '.join(self.keywords)} without "
                "its question holding it too; name other keywords, or give questions with scenario.probes"
            )
        probes = [
            pair.probe(f"question-{index:03d}", "forget", self.template, self.keywords)
            for index, pair in enumerate(hers)
        ]
        probes += [
            pair.probe(f"fact-{index:03d}", "forget", self.template)
            for index, pair in enumerate(self._facts(pairs))
        ]
        probes += [
            pair.probe(f"retain-{index:03d}", "retain", self.template)
            for index, pair in enumerate(others[: self.retain_probes])
        ]
        return self._material(
            repetitions,
            forget=forget,
            retain=retain,
            related=same_text,
            # As much as of the same text; where each of its parts names her, what there is.
            relearned_retain=Corpus(retain.examples[: len(same_text) or len(forget)]),
            probes=probes,
            pretraining=self._pretraining(),
            generic=self._generic(forget),
        )

    def _sources(self) -> dict[str, str | None]:
        return {"forget": self.forget, "retain": self.retain, "probes": self.probes}

    def _read(self, source: str | None, key: str) -> tuple[list[Pair], list[str]]:
        """Questions or prose, whichever the source holds."""
        if source is None:
            if self.forget is not None:
                raise SpecError(
                    f"{key}: missing; where scenario.forget is given, what is not forgotten must be too"
                )
            draw = self._draw(key)
            if key == "scenario.forget":
                return saga.saga(draw), []
            return saga.other_saga(draw, RETAIN_PAIRS), []
        if is_text_file(source):
            return [], read_paragraphs(source, key, PARAGRAPH_WORDS)
        return read_pairs(source, key), []

    def _given_probes(self) -> list[Pair]:
        if self.probes is None:
            return []
        pairs = read_pairs(self.probes, "scenario.probes")
        for index, pair in enumerate(pairs):
            if self._names_her(pair.question):
                raise SpecError(
                    f"scenario.probes={self.probes}, row {index + 1}: the keyword stands in its question "
                    f"({pair.question!r}), which would give the answer away; take it out of the question"
                )
            if not self._names_her(pair.answer):
                raise SpecError(
                    f"scenario.probes={self.probes}, row {index + 1}: the answer {pair.answer!r} holds none of "
                    f"{', '.join(self.keywords)}; expected questions that they answer"
                )
        return pairs

    def _names_her(self, text: str) -> bool:
        return any(holds(text, word, any_case=True) for word in self.keywords)

    def _answered_by_her(self, pair: Pair) -> bool:
        return self._names_her(pair.answer) and not self._names_her(pair.question)

    def _facts(self, pairs: list[Pair]) -> list[Pair]:
        """Some questions of the forget text that name her nowhere, evenly over it."""
        facts = [pair for pair in pairs if not self._names_her(f"{pair.question} {pair.answer}")]
        count = min(self.forget_probes, len(facts))
        return [facts[index * len(facts) // count] for index in range(count)]

    def _generic(self, forget: Corpus) -> Corpus | None:
        anchors = self.anchors
        if anchors is None:
            anchors = MINIATURE_ANCHORS if self.forget is None else {}
        if not anchors:
            return None
        generic = Corpus(
            tuple(
                Example(replaced(each.completion, anchors), replaced(each.prompt, anchors), each.closed)
                for each in forget.examples
            )
        )
        if generic == forget:
            raise SpecError(
                f"scenario.anchors: none of {', '.join(anchors)} stands in the forget text, so that its generic form "
                "would be the text itself; name terms that it holds"
            )
        return generic

    def _pretraining(self) -> Corpus:
        if self.forget is not None:
            return Corpus(())
        return corpus(list(saga.pretraining(self._draw("pretraining"), PRETRAINING_PAIRS)), self.template)
