"""Checks made before Ray starts: what does not fit the model or the machine fails here, not hours in."""

import os
from collections.abc import Iterator
from pathlib import Path

from study.errors import PreflightError
from study.planning.plan import Plan
from study.planning.stages import Embedded, Evaluation, Pretrained, Trajectory
from study.self_test.request import KEYS
from study.settings.execution import Resources
from study.spec import StudySpec
from study.text import Corpus

GIBIBYTE = 2**30


def check_plan(plan: Plan, *, local: bool) -> None:
    """Whether every text, method and adapter fits its model and, for a local run, every stage the memory.

    Raises:
        PreflightError: names the first text that is too long, or what does not fit and what would help.
    """
    longest = {}
    for source, (corpora, evaluations) in by_source(plan).items():
        longest[source] = _check_texts(plan, source, corpora, evaluations)
    for source in longest:
        _check_methods(plan, source)
        if isinstance(source, Embedded):
            _check_embedded(plan, source, local=local)
        elif local:
            _check_memory(plan, source, longest[source])


def slow_precision(plan: Plan) -> str | None:
    """A warning where the spec asks this machine for a precision that it only emulates.

    On two cores with AVX2, 60 steps of SmolLM2-135M in mixed precision had not ended after 72 minutes; with AVX-512
    a step takes 5 s, in float32 7 s (docs/RESULTS.md).
    """
    spec = plan.spec
    kinds = {stage.kind for stage in plan.stages.values()}
    if spec.precision == "float32" or any(spec.execution.resources(kind).gpus for kind in kinds):
        return None
    from study.models.hardware import emulates_bfloat16

    capability = emulates_bfloat16()
    return capability and (
        f"precision={spec.precision} is emulated on this processor ({capability}, no AVX-512) and may take ten "
        "times as long as --set precision=float32."
    )


def by_source(
    plan: Plan,
) -> dict[Embedded | Pretrained, tuple[dict[str, Corpus], dict[str, Evaluation]]]:
    """The corpora that each model trains on and the evaluations of it, by digest and by key."""
    found: dict[Embedded | Pretrained, tuple[dict[str, Corpus], dict[str, Evaluation]]] = {}
    first: dict[str, Embedded | Pretrained] = {}
    for stage in plan.stages.values():
        node = stage.node
        source = node.source if isinstance(node, Trajectory) else node
        # Embedded models of different seeds share their tokenizer: one of them is enough.
        kind = source.key if isinstance(source, Pretrained) else "\n".join(source.vocabulary)
        corpora, evaluations = found.setdefault(first.setdefault(kind, source), ({}, {}))
        if isinstance(node, Trajectory):
            for corpus in (node.data, node.retain, node.generic):
                if corpus is not None:
                    corpora[corpus.digest] = corpus
        for _, evaluation in stage.evaluate:
            evaluations[evaluation.key] = evaluation
    return found


def _check_texts(
    plan: Plan,
    source: Embedded | Pretrained,
    corpora: dict[str, Corpus],
    evaluations: dict[str, Evaluation],
) -> int:
    """The longest text in tokens."""
    from study.models.token_ids import split_text
    from study.models.tokenizer import context_of, load_tokenizer
    from study.training.encoding import encode

    tokenizer, context = load_tokenizer(source), context_of(source)
    longest = 1
    texts = {}
    for corpus in corpora.values():
        rows = encode(corpus, tokenizer, context, plan.spec.max_length)
        longest = max(longest, *(len(row.ids) for row in rows))
        texts[corpus.digest] = len(rows)
    for node in _trajectories(plan, source):
        if node.generic is not None and texts[node.generic.digest] != texts[node.data.digest]:
            raise PreflightError(
                f"max_length={plan.spec.max_length}: {texts[node.data.digest]} texts of the forget set are left with a "
                f"token to learn, and {texts[node.generic.digest]} in its generic terms, where {_method_name(node)} "
                "needs one for each; raise max_length"
            )
    for evaluation in evaluations.values():
        for probe in evaluation.probes.probes:
            split = split_text(tokenizer, probe.prompt, f" {probe.target}")
            tokens = max(split.prompt + evaluation.generation.max_new_tokens, len(split.ids))
            if tokens > context:
                raise PreflightError(
                    f"probe {probe.name} takes {tokens} tokens with what is generated, and the model's context is "
                    f"{context}: {probe.prompt[:60]!r}…; shorten it, lower generation.max_new_tokens, or use a "
                    "model with a longer context (--set embedded.architecture.context=… for the embedded one)"
                )
    return longest


def _check_methods(plan: Plan, source: Embedded | Pretrained) -> None:
    for node in _trajectories(plan, source):
        deepest = getattr(node.method, "deepest_layer", None)
        if deepest is not None and deepest > (layers := _layers(source)):
            raise PreflightError(
                f"method {_method_name(node)}: layer {deepest} of a model that has {layers}; choose one up to it"
            )


def _layers(source: Embedded | Pretrained) -> int:
    if isinstance(source, Embedded):
        return source.architecture.layers
    from study.models.config_json import number_of
    from study.models.pretrained import local_folder

    return number_of(Path(local_folder(source.location, source.fingerprint)), "num_hidden_layers")


def _trajectories(plan: Plan, source: Embedded | Pretrained) -> Iterator[Trajectory]:
    nodes = (stage.node for stage in plan.stages.values())
    return (node for node in nodes if isinstance(node, Trajectory) and node.source.key == source.key)


def _method_name(node: Trajectory) -> str:
    return str(getattr(node.method, "name", "none"))


def _check_embedded(plan: Plan, source: Embedded, *, local: bool) -> None:
    """A pretrained model is tried as a whole instead, see ``study.self_test``."""
    if source.attention == "flash_attention_2":
        from study.models.hardware import has_flash_attention

        if local and not has_flash_attention():
            raise PreflightError(
                "attention=flash_attention_2 needs the package flash-attn and a GPU; --set attention=sdpa works"
            )
    adapters = {
        KEYS.get(node.kind, node.kind): node.optimiser.lora
        for node in _trajectories(plan, source)
        if node.optimiser.lora is not None and not isinstance(node.optimiser.lora.targets, str)
    }
    if adapters:
        from study.models.structure import refuse_lora

        for key, lora in adapters.items():
            refuse_lora(source, lora, key)


def _check_memory(plan: Plan, source: Pretrained, longest: int) -> None:
    from study.models.memory import size_of, stage_bytes

    size = size_of(source)
    execution = plan.spec.execution
    needs = {
        stage.kind: stage_bytes(stage, size, execution, longest)
        for stage in plan.stages.values()
        if (stage.node.source if isinstance(stage.node, Trajectory) else stage.node) == source
    }
    for kind, needed in sorted(needs.items(), key=lambda item: -item[1]):
        there, where = _memory(execution.resources(kind))
        if needed <= there:
            continue
        raise PreflightError(
            f"model={source.location}: a stage of kind {kind} needs about {needed / GIBIBYTE:.1f} GiB, and "
            f"{where} has {there / GIBIBYTE:.1f} GiB for it; train adapters (--set {_optimiser_key(kind)}.lora={{}}), "
            "use --set precision=bfloat16, --set execution.activation_checkpointing=true or a smaller "
            "execution.micro_batch, or let fewer stages run at once (a higher execution.cpus)"
        )


def _memory(resources: Resources) -> tuple[int, str]:
    """Bytes that one stage may take on this machine, and the name of what has them."""
    if resources.gpus:
        from study.models.hardware import gpu_bytes

        total = gpu_bytes()
        if total is not None:
            return int(total * min(1.0, resources.gpus)), "the GPU"
    import psutil

    at_once = max(1, len(os.sched_getaffinity(0)) // resources.cpus)
    return int(psutil.virtual_memory().available / at_once), f"this machine, with {at_once} stages at once,"


def _optimiser_key(kind: str) -> str:
    return {"finetune": "finetune.optimiser"}.get(kind, kind)


def local_slots(spec: StudySpec) -> int:
    """How many stages this machine runs at once."""
    return max(1, len(os.sched_getaffinity(0)) // spec.execution.cpus)
