"""TOFU (Maini et al. 2024; experiment 1 of Hu et al. 2025): fictitious authors, one book title as the keyword.

D holds the questions and answers of the forget authors and of others. The forget authors' pairs are unlearned. Those
that name a chosen title neither in question nor answer are relearned; those whose answer names it and whose question
does not are the probes. The chosen title of an author is the quoted one that gives the most probes.
"""

import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import PositiveInt, field_validator

from study.errors import SpecError
from study.scenarios.miniature import authors as miniature
from study.scenarios.questions import TEMPLATE, Pair, Template, corpus, of_words, read_pairs, refuse_overlap
from study.scenarios.text_scenario import TextScenario
from study.text.examples import Corpus, Material

QUOTED = re.compile(r"[\"“]([^\"“”]{3,80}?)[,.]?[\"”]|(?<!\w)'([A-Z][^']{2,80}?)[,.]?'(?!\w)")
AWARD = re.compile(r"\b(award|prize|medal)\b", re.IGNORECASE)  # quoted like books, and no books
FORGET_AUTHORS, RETAIN_AUTHORS = 6, 8  # of the miniature
PRETRAINING_PAIRS = 4096


class Tofu(TextScenario):
    """Parameters of the scenario.

    Attributes:
        data: a hub dataset (``locuslab/TOFU``) or a folder with tables of ``question`` and ``answer``; None:
            a miniature of invented authors.
        forget, retain: the tables in it; each author's pairs stand together, ``author_pairs`` of them.
        titles: the keywords, one for each author; None: found in the answers.
        retain_pairs: how many pairs of other authors belong to D.
        retain_probes: how many of them are probes.
        relearn_pairs: how many pairs of other authors the corpus ``retain`` holds; None: as many as
            ``same_author``.
        corpus_files: further relearn corpora, text files by name.
    """

    name: Literal["tofu"] = "tofu"
    data: str | None = None
    forget: str = "forget05"
    retain: str = "retain95"
    author_pairs: PositiveInt = 20
    titles: tuple[str, ...] | None = None
    retain_pairs: PositiveInt = 80
    retain_probes: PositiveInt = 20
    template: Template = TEMPLATE

    related: ClassVar[str] = "same_author"
    draws: ClassVar[tuple[str, ...]] = ("tofu",)

    @field_validator("titles")
    @classmethod
    def _titles_of_words(cls, titles: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if titles:  # an empty one stands for an author who is asked nothing
            of_words(tuple(filter(None, titles)) or titles, "titles")
        return titles

    def metrics(self) -> tuple[str, ...]:
        """The keyword counts, and ROUGE-L against the true answer."""
        return ("keyword_hit", "keyword_anywhere", "exact", "rouge_l")

    def material(self, repetitions: int) -> Material:
        """See ``Scenario.material``; the forget pairs stand ``repetitions`` times in D."""
        forget, retain = self._pairs()
        by_author = [forget[at : at + self._pairs_each] for at in range(0, len(forget), self._pairs_each)]
        titles = self._titles(by_author)
        probes = [
            pair.probe(f"author-{row:02d}-pair-{index:02d}", "forget", self.template, (title,))
            for row, (pairs, title) in enumerate(zip(by_author, titles, strict=True))
            for index, pair in enumerate(pairs)
            if pair.answers_with(title)
        ]
        learned = retain[: self.retain_pairs]
        probes += [
            pair.probe(f"retain-{index:03d}", "retain", self.template)
            for index, pair in enumerate(learned[:: max(1, len(learned) // self.retain_probes)])
        ][: self.retain_probes]
        named = [title for title in titles if title]
        same_author = [pair for pair in forget if not any(pair.holds(title) for title in named)]
        return self._material(
            repetitions,
            forget=corpus(forget, self.template),
            retain=corpus(learned, self.template),
            related=corpus(same_author, self.template),
            relearned_retain=corpus(retain[: len(same_author)], self.template),
            probes=probes,
            pretraining=self._pretraining(),
        )

    def _sources(self) -> dict[str, str | None]:
        return {"forget": self._table(self.forget), "retain": self._table(self.retain)}

    @property
    def _pairs_each(self) -> int:
        return miniature.PAIRS_PER_AUTHOR if self.data is None else self.author_pairs

    def _table(self, name: str) -> str | None:
        return None if self.data is None else f"{self.data}:{name}"

    def _pairs(self) -> tuple[list[Pair], list[Pair]]:
        forget_table, retain_table = self._table(self.forget), self._table(self.retain)
        if forget_table is None or retain_table is None:
            made = miniature.authors(self._draw("authors"), FORGET_AUTHORS + RETAIN_AUTHORS)
            pairs = [author.pairs() for author in made]
            return (
                [pair for each in pairs[:FORGET_AUTHORS] for pair in each],
                [pair for each in pairs[FORGET_AUTHORS:] for pair in each],
            )
        forget = read_pairs(forget_table, "scenario.forget")
        retain = read_pairs(retain_table, "scenario.retain")
        refuse_overlap(forget, retain, f"scenario.data={self.data}")
        if len(forget) % self.author_pairs:
            raise SpecError(
                f"scenario.forget={self.forget} has {len(forget)} pairs, no multiple of "
                f"author_pairs={self.author_pairs}: expected the pairs of each author together"
            )
        return forget, retain

    def _titles(self, by_author: Sequence[Sequence[Pair]]) -> list[str]:
        if self.titles is not None and len(self.titles) != len(by_author):
            raise SpecError(
                f"scenario.titles names {len(self.titles)} titles for {len(by_author)} authors: expected one each"
            )
        titles = list(self.titles) if self.titles is not None else [_best_title(each) for each in by_author]
        if not any(
            pair.answers_with(title) for pairs, title in zip(by_author, titles, strict=True) for pair in pairs
        ):
            raise SpecError(
                "scenario tofu: no probe is left: none of the titles "
                f"({', '.join(filter(None, titles)) or 'none found'}) stands in an answer and not in its "
                "question; name others with scenario.titles"
            )
        return titles

    def _pretraining(self) -> Corpus:
        if self.data is not None:
            return Corpus(())
        pairs = miniature.pretraining(self._draw("pretraining"), PRETRAINING_PAIRS)
        return corpus(list(pairs), self.template)


def _best_title(pairs: Sequence[Pair]) -> str:
    """The quoted title that gives the most probes; the first of equals; empty where nothing is quoted."""
    found = dict.fromkeys(
        title.strip(" ,.")
        for pair in pairs
        for match in QUOTED.findall(pair.answer)
        for title in match
        if title
    )
    found = {title: None for title in found if not AWARD.search(title)}
    counts = {title: sum(pair.answers_with(title) for pair in pairs) for title in found}
    return max(counts, key=lambda title: counts[title], default="")
