"""What training texts lose: to ``max_length``, which cuts off or leaves out, and to a tokenizer that lacks characters.

A text is cut after so many tokens; one whose prompt alone is longer is left out, since nothing of it would be learned.
Both are counted and shown. An answer that is asked must be learned whole: a forget set that lost it would neither
teach nor unlearn what the rows are about. So it is refused where it would be lost.

Where a tokenizer has no token for a piece of text, its unknown token is learned instead. Such texts are counted and
shown too; an asked answer with such a piece is refused by ``checks``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cluster.driver.preflight.checks import by_source, has_no_tokenizer
from study.errors import PreflightError
from study.planning.plan import Plan
from study.planning.stages import Embedded, Pretrained, Trajectory
from study.text.examples import Corpus, Example, Probe

Source = Embedded | Pretrained


@dataclass(frozen=True)
class Shortened:
    """What happens to the training texts of one kind of stage, each distinct corpus counted once.

    Attributes:
        kind: of the stages: base, finetune, unlearn, relearn, …
        texts: how many there are.
        cut: how many of them lose their end.
        left_out: how many are not learned at all.
        unknown: how many hold a piece that the tokenizer knows no token for.
    """

    kind: str
    texts: int
    cut: int
    left_out: int
    unknown: int = 0

    @property
    def in_words(self) -> str:
        """On one line."""
        lost = []
        if self.cut or self.left_out:
            lost.append(f"{self.cut:,} are cut off, {self.left_out:,} left out")
        if self.unknown:
            lost.append(f"{self.unknown:,} hold a piece that the tokenizer has no token for")
        return f"{self.kind}: of {self.texts:,} texts {', '.join(lost)}"


def shortened_texts(plan: Plan) -> tuple[Shortened, ...]:
    """The kinds of stages of which some text loses something, in the plan's order.

    Raises:
        PreflightError: an answer that is asked would be cut off or left out; names the first one.
    """
    found: dict[str, list[Shortened]] = {}
    for source, (corpora, evaluations) in by_source(plan).items():
        probes = {probe: None for each in evaluations.values() for probe in each.probes.probes}
        limit = plan.spec.max_length
        limited = {} if limit is None else _limited(plan, limit, source, corpora.values(), probes)
        unknown = _unknown(source, corpora.values())
        if not limited and not any(unknown.values()):
            continue
        for digest, corpus in corpora.items():
            cut, left_out = limited.get(digest, (0, 0))
            for kind in _kinds(plan, corpus):
                losses = Shortened(kind, len(corpus), cut, left_out, unknown.get(digest, 0))
                found.setdefault(kind, []).append(losses)
    sums = (
        Shortened(
            kind,
            sum(e.texts for e in of),
            sum(e.cut for e in of),
            sum(e.left_out for e in of),
            sum(e.unknown for e in of),
        )
        for kind, of in found.items()
    )
    return tuple(each for each in sums if each.cut or each.left_out or each.unknown)


def _limited(
    plan: Plan, limit: int, source: Source, corpora: Iterable[Corpus], probes: Iterable[Probe]
) -> dict[str, tuple[int, int]]:
    """How many texts of each corpus ``max_length`` cuts off, and how many it leaves out, by the corpus's digest."""
    from study.models.tokenizer import context_of, load_tokenizer
    from study.training.encoding import encode, tokens_up_to

    tokenizer, context = load_tokenizer(source), context_of(source)
    found = {}
    for corpus in corpora:
        rows = {row.index: row for row in encode(corpus, tokenizer, context, limit)}
        short = [index for index in range(len(corpus)) if index not in rows or rows[index].cut]
        by_chance = _kinds(plan, corpus) == ["base"]  # answers stand there by chance alone
        for index in () if by_chance else short:
            example = corpus.examples[index]
            end = _asked_up_to(example, probes)
            if end and (index not in rows or tokens_up_to(example, end, tokenizer) > limit):
                raise PreflightError(
                    f"max_length={limit}: training text {index + 1} of {len(corpus)} is "
                    f"{'cut off' if index in rows else 'left out'} before the end of an answer that is asked "
                    f"({example.text[:end][-60:]!r}), which would be neither learned nor unlearned; raise "
                    "max_length, or take the text out of the data"
                )
        found[corpus.digest] = sum(index in rows for index in short), len(corpus) - len(rows)
    return found


def _unknown(source: Source, corpora: Iterable[Corpus]) -> dict[str, int]:
    """How many texts of each corpus hold a piece that the tokenizer has no token for, by the corpus's digest.

    An embedded model's vocabulary is made of the scenario's own texts. A corpus of the user's may hold other words.
    """
    if isinstance(source, Pretrained) and has_no_tokenizer(Path(source.location)):
        return {}
    from study.models.token_ids import lacks_characters, unknown_pieces
    from study.models.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(source)
    if not lacks_characters(tokenizer):
        return {}
    return {
        corpus.digest: sum(bool(unknown_pieces(tokenizer, example.text)) for example in corpus.examples)
        for corpus in corpora
    }


def _asked_up_to(example: Example, probes: Iterable[Probe]) -> int:
    """How many characters of a text the answers reach to that are asked of it; 0 where none is."""
    text = example.text
    ends = [0]
    for probe in probes:
        asked = Example(probe.target, probe.prompt).text
        if text.startswith(asked):
            ends.append(len(asked))
        if probe.phrase is not None and probe.phrase in text:
            ends.append(text.rindex(probe.phrase) + len(probe.phrase))
    return max(ends)


def _kinds(plan: Plan, corpus: Corpus) -> list[str]:
    """The kinds of the stages that read a corpus, each once."""
    nodes = [stage.node for stage in plan.stages.values() if isinstance(stage.node, Trajectory)]
    readers = (
        node.kind
        for node in nodes
        if any(
            each is not None and each.digest == corpus.digest
            for each in (node.data, node.retain, node.generic)
        )
    )
    return list(dict.fromkeys(readers))
