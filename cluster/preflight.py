"""Checks that need a tokenizer, made before Ray starts: a text that does not fit fails here, not hours in."""

from study.errors import PreflightError
from study.plan import Plan
from study.stages import Embedded, Trajectory


def check_texts(plan: Plan) -> None:
    """Whether every training text and every query with its answer fits the model's context.

    The embedded model has one token a word, which can be counted without loading anything. For pretrained
    models the stage itself checks with the tokenizer.

    Raises:
        PreflightError: names the first text that is too long.
    """
    seen: set[str] = set()
    for stage in plan.stages.values():
        node = stage.node
        source = node.source if isinstance(node, Trajectory) else node
        if not isinstance(source, Embedded):
            continue
        context = source.architecture.context
        if isinstance(node, Trajectory) and node.data.digest not in seen:
            seen.add(node.data.digest)
            for example in node.data.examples:
                _check(
                    len(f"{example.prompt} {example.completion}".split()) + 1,
                    context,
                    example.completion,
                )
        for _, evaluation in stage.evaluate:
            if evaluation.key in seen:
                continue
            seen.add(evaluation.key)
            for probe in evaluation.probes.probes:
                tokens = len(probe.prompt.split()) + 1 + evaluation.generation.max_new_tokens
                _check(tokens, context, probe.prompt)


def _check(tokens: int, context: int, text: str) -> None:
    if tokens > context:
        raise PreflightError(
            f"a text takes {tokens} tokens, with what is generated, and the embedded model's context is "
            f"{context}: {text[:60]!r}…; shorten it, or --set embedded.architecture.context={tokens}"
        )
