"""What ``max_length`` takes away: how many training texts it cuts off or leaves out, and that no asked answer is lost.

A text is cut after so many tokens; one whose prompt alone is longer is left out, since nothing of it would be learned.
Both are counted and shown. An answer that is asked must be learned whole: a forget set that lost it would neither
teach nor unlearn what the rows are about. So it is refused where it would be lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.driver.preflight.checks import by_source
from study.errors import PreflightError
from study.planning.plan import Plan
from study.planning.stages import Trajectory
from study.text.examples import Corpus, Example, Probe


@dataclass(frozen=True)
class Shortened:
    """What happens to the training texts of one kind of stage, each distinct corpus counted once.

    Attributes:
        kind: of the stages: base, finetune, unlearn, relearn, …
        texts: how many there are.
        cut: how many of them lose their end.
        left_out: how many are not learned at all.
    """

    kind: str
    texts: int
    cut: int
    left_out: int

    @property
    def in_words(self) -> str:
        """On one line."""
        return f"{self.kind}: of {self.texts:,} texts {self.cut:,} are cut off, {self.left_out:,} left out"


def shortened_texts(plan: Plan) -> tuple[Shortened, ...]:
    """The kinds of stages that lose some text to ``max_length``, in the plan's order; none where it is not set.

    Raises:
        PreflightError: an answer that is asked would be cut off or left out; names the first one.
    """
    limit = plan.spec.max_length
    if limit is None:
        return ()
    from study.models.tokenizer import context_of, load_tokenizer
    from study.training.encoding import encode, tokens_up_to

    found: dict[str, list[Shortened]] = {}
    for source, (corpora, evaluations) in by_source(plan).items():
        tokenizer, context = load_tokenizer(source), context_of(source)
        probes = {probe: None for each in evaluations.values() for probe in each.probes.probes}
        for corpus in corpora.values():
            rows = {row.index: row for row in encode(corpus, tokenizer, context, limit)}
            short = [index for index in range(len(corpus)) if index not in rows or rows[index].cut]
            kinds = _kinds(plan, corpus)
            for index in short if kinds != ["base"] else ():  # there, answers stand by chance alone
                example = corpus.examples[index]
                end = _asked_up_to(example, probes)
                if end and (index not in rows or tokens_up_to(example, end, tokenizer) > limit):
                    raise PreflightError(
                        f"max_length={limit}: training text {index + 1} of {len(corpus)} is "
                        f"{'cut off' if index in rows else 'left out'} before the end of an answer that is asked "
                        f"({example.text[:end][-60:]!r}), which would be neither learned nor unlearned; raise "
                        "max_length, or take the text out of the data"
                    )
            cut = sum(index in rows for index in short)
            for kind in kinds:
                found.setdefault(kind, []).append(Shortened(kind, len(corpus), cut, len(corpus) - len(rows)))
    sums = (
        Shortened(kind, sum(e.texts for e in of), sum(e.cut for e in of), sum(e.left_out for e in of))
        for kind, of in found.items()
    )
    return tuple(each for each in sums if each.cut or each.left_out)


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
