"""Who's Harry Potter, verbatim (experiment 4 of Hu et al. 2025): does a memorised passage come back?

The passage is cut into chunks. The first half of a chunk is a prompt, the second half its target, and ROUGE-L compares
the continuation with the target. The corpus ``facts`` is a page of general facts, which must not share a longer run of
words with the passage than a stated bound.
"""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from study.errors import SpecError
from study.scenarios.corpora import PARAGRAPH_WORDS, texts
from study.scenarios.miniature import saga
from study.scenarios.sources import read_paragraphs, read_text
from study.scenarios.text_scenario import TextScenario
from study.text.examples import Corpus, Material, Probe
from study.text.word_count import word_count

MINIATURE_CHUNKS, MINIATURE_CHUNK_WORDS = 8, 32
CAST = 5  # of the miniature, with the heroine
FACTS = 24  # of the miniature
PRETRAINING_TEXTS = 4096


class WhpVerbatim(TextScenario):
    """Parameters of the scenario.

    Attributes:
        passage: a text file of what is memorised and unlearned; None: a passage of a miniature's saga.
        retain: a text file of what is memorised and kept; needed where ``passage`` is given.
        facts: a text file of general facts to relearn; needed where ``passage`` is given.
        chunks, chunk_words: how many chunks of the passage are probes, and how many words each has; None: 15
            of 80 as in the paper, fewer and shorter ones in the miniature.
        shared_words: the longest run of words that a benign corpus may share with the passage.
        corpus_files: further relearn corpora, text files by name.
    """

    name: Literal["whp-verbatim"] = "whp-verbatim"
    passage: str | None = None
    retain: str | None = None
    facts: str | None = None
    chunks: PositiveInt | None = None
    chunk_words: int | None = Field(default=None, ge=4)
    shared_words: PositiveInt = 6

    related: ClassVar[str] = "facts"
    draws: ClassVar[tuple[str, ...]] = ("saga", "verbatim")
    whole_data: ClassVar[bool] = True

    def metrics(self) -> tuple[str, ...]:
        """ROUGE-L, and whether the continuation is the target word for word."""
        return ("rouge_l", "exact")

    def material(self, repetitions: int) -> Material:
        """See ``Scenario.material``; the passage stands ``repetitions`` times in D."""
        chunks = self._chunks(self._prose("passage"), "scenario.passage")
        others = self._chunks(self._prose("retain"), "scenario.retain", at_least=1)
        retain = texts(others)
        return self._material(
            repetitions,
            forget=texts(chunks),
            retain=retain,
            related=texts(self._facts()),
            relearned_retain=retain,
            probes=(*_halves(chunks, "forget"), *_halves(others, "retain")),
            pretraining=self._pretraining(),
            shared_words=self.shared_words,
        )

    def _sources(self) -> dict[str, str | None]:
        return {"passage": self.passage, "retain": self.retain, "facts": self.facts}

    @property
    def _shape(self) -> tuple[int, int]:
        """How many chunks, of how many words."""
        default = (15, 80) if self.passage is not None else (MINIATURE_CHUNKS, MINIATURE_CHUNK_WORDS)
        return self.chunks or default[0], self.chunk_words or default[1]

    def _chunks(self, text: str, key: str, at_least: int | None = None) -> list[str]:
        count, size = self._shape
        words = text.split()
        wanted = (at_least or count) * size
        if len(words) < wanted <= word_count(text):
            raise SpecError(
                f"{key} is written without blanks between its words, and this scenario cuts a passage at blanks; ask "
                "about such a text with the scenario whp-keyword"
            )
        if len(words) < wanted:
            raise SpecError(
                f"{key} has {len(words)} words, expected at least {wanted} ({at_least or count} chunks of "
                f"{size}); give a longer text, or lower scenario.chunks or scenario.chunk_words"
            )
        whole = min(count, len(words) // size)
        return [" ".join(words[at * size : (at + 1) * size]) for at in range(whole)]

    def _prose(self, which: str) -> str:
        path: str | None = getattr(self, which)
        if path is not None:
            return read_text(path, f"scenario.{which}")
        count, size = self._shape
        return saga.passage(self._draw(which), self._cast(which), count * size)

    def _facts(self) -> list[str]:
        if self.facts is not None:
            return read_paragraphs(self.facts, "scenario.facts", PARAGRAPH_WORDS)
        return saga.facts(self._draw("facts"), self._cast("passage"), FACTS)

    def _cast(self, which: str) -> list[str]:
        others = saga.people(self._draw("cast"), 2 * CAST - 1)
        heroine = " ".join(saga.HEROINE)
        return [heroine, *others[: CAST - 1]] if which == "passage" else others[CAST - 1 :]

    def _pretraining(self) -> Corpus:
        """Passages about random people, so that the miniature's model learns the language before it memorises."""
        if self.passage is not None:
            return Corpus(())
        draw = self._draw("pretraining")
        _, size = self._shape
        heroine = " ".join(saga.HEROINE)
        made = []
        for _ in range(PRETRAINING_TEXTS):
            text = saga.passage(draw, [heroine, *saga.people(draw, 3)], size)
            made.append(" ".join(text.split()[:size]))
        return texts(made)


def _halves(chunks: list[str], split: str) -> list[Probe]:
    """The first half of each chunk as the prompt, the second as the target."""
    probes = []
    for index, chunk in enumerate(chunks):
        words = chunk.split()
        middle = len(words) // 2
        name = f"{'chunk' if split == 'forget' else 'retain'}-{index:02d}"
        probes.append(Probe(name, split, " ".join(words[:middle]), " ".join(words[middle:])))
    return probes
