"""The first probe, token by token: as it was learned, and as it is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.driver.preflight.checks import has_no_tokenizer
from study.models.tokenizer import Source
from study.planning.plan import Plan
from study.planning.stages import Evaluation, Pretrained, Trajectory
from study.text.examples import Corpus, Example, Probe

SHOWN = 8
"""Tokens before the border that are shown to a person."""


@dataclass(frozen=True)
class FirstProbe:
    """Tokens as the tokenizer names them.

    Attributes:
        probe: its name.
        asked: of the prompt, special tokens included.
        target: of what is scored after the prompt.
        learned: of the first text that begins with the prompt, in the corpora of the plan's trajectories; None where
            the prompt begins no text that is learned.
    """

    probe: str
    asked: tuple[str, ...]
    target: tuple[str, ...]
    learned: tuple[str, ...] | None

    def rows(self) -> Iterator[tuple[str, str]]:
        """For a person: the tokens around the border between prompt and continuation."""
        yield "first probe, asked", f"{_joined(self.asked)} ‖ {' · '.join(self.target)}"
        if self.learned is None:
            yield "first probe, learned", "its prompt begins no text that is learned"
            return
        border = len(self.asked)
        same = self.learned[:border] == self.asked
        words = f"{_joined(self.learned[:border])} ‖ {' · '.join(self.learned[border:][: 2 * SHOWN])}"
        yield "first probe, learned", words if same else f"{words}  (not the tokens that are asked)"


def first_probe(plan: Plan) -> FirstProbe | None:
    """The first probe of the first evaluation; None where nothing is asked, or of a configuration alone."""
    from study.models.token_ids import split_text
    from study.models.tokenizer import load_tokenizer
    from study.training.encoding import encode

    found = _first_evaluation(plan)
    if found is None or not found[1].probes.probes:
        return None
    source, evaluation = found
    if isinstance(source, Pretrained) and has_no_tokenizer(Path(source.location)):
        return None
    probe = evaluation.probes.probes[0]
    tokenizer = load_tokenizer(source)
    asked = split_text(tokenizer, probe.prompt, f" {probe.target}")
    named = tuple(str(each) for each in tokenizer.convert_ids_to_tokens(asked.ids))
    example = _learned(plan, source, probe)
    learned = None
    if example is not None:
        # As a trajectory encodes it, whatever the model's context: the check of the lengths comes before.
        (row,) = encode(Corpus((example,)), tokenizer, context=len(example.text) + 8)
        learned = tuple(str(each) for each in tokenizer.convert_ids_to_tokens(row.ids))
    return FirstProbe(probe.name, named[: asked.prompt], named[asked.prompt :], learned)


def _first_evaluation(plan: Plan) -> tuple[Source, Evaluation] | None:
    for stage in plan.stages.values():
        source = stage.source
        if source is not None and stage.evaluate:
            return source, stage.evaluate[0][1]
    return None


def _learned(plan: Plan, source: Source, probe: Probe) -> Example | None:
    """The first text that begins with the probe's prompt and target, or else with its prompt."""
    examples = [
        example
        for stage in plan.stages.values()
        if isinstance(stage.node, Trajectory) and stage.node.source.key == source.key
        for example in stage.node.data.examples
    ]
    for beginning in (f"{probe.prompt} {probe.target}", f"{probe.prompt} "):
        for example in examples:
            if example.text.startswith(beginning):
                return example
    return None


def _joined(tokens: tuple[str, ...]) -> str:
    shown = " · ".join(tokens[-SHOWN:])
    return shown if len(tokens) <= SHOWN else f"… · {shown}"
