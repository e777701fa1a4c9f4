"""What does not fit the model or the machine fails here, not hours in."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from cluster.driver.preflight.service_cost import check_service_cost
from cluster.ray_tune.room import Demand, misfit, remedies, this_machine
from study.errors import PreflightError
from study.models.adapters.peft_folder import is_adapter
from study.performing.self_test.request import KEYS
from study.planning.plan import Plan
from study.planning.stages import Embedded, Evaluation, Pretrained, Stage, Trajectory
from study.settings.execution import Resources
from study.spec import StudySpec
from study.text.examples import Corpus

CHARACTERS_OF_A_TOKEN = 3
"""Fewer than in English prose, so that texts are rather told too long."""


def check_plan(plan: Plan, *, local: bool) -> list[Demand]:
    """Whether every text, method and adapter fits its model and, for a local run, every stage the memory.

    Returns:
        The memory that stages of each kind need, for models that are not embedded.

    Raises:
        PreflightError: names the first text that is too long, or what does not fit and what would help.
    """
    _check_settings(plan)
    longest = {}
    for source, (corpora, evaluations) in by_source(plan).items():
        longest[source] = _check_texts(plan, source, corpora, evaluations)
    for source in longest:
        _check_methods(plan, source)
        if isinstance(source, Embedded):
            _check_embedded(plan, source, local=local)
    demands = [
        demand
        for source in longest
        if isinstance(source, Pretrained)
        for demand in _demands(plan, source, longest[source])
    ]
    if local and demands:
        _check_memory(demands)
    return demands


def refusal(plan: Plan) -> PreflightError | None:
    """Why ``relearn run`` would refuse the plan on any machine; None where nothing is known against it.

    Of a model whose folder holds a configuration alone, the settings are checked and no text is.
    """
    try:
        if any(
            isinstance(each, Pretrained) and has_no_tokenizer(Path(each.location)) for each in by_source(plan)
        ):
            _check_settings(plan)
        else:
            check_plan(plan, local=False)
    except PreflightError as error:
        return error
    return None


def has_no_tokenizer(folder: Path) -> bool:
    """Whether it is a folder without tokenizer files: enough to plan memory and disk, and refused by a run."""
    own = any([*folder.glob("*token*"), *folder.glob("vocab*")])
    return folder.is_dir() and not is_adapter(folder) and not own


def _check_settings(plan: Plan) -> None:
    check_service_cost(plan)
    _check_resources(plan)
    _check_precision(plan)


def _check_resources(plan: Plan) -> None:
    """Several processes on one node train all weights together, of batches that can be dealt alike; layers that lie in
    main memory beside a GPU are not trained.
    """
    for stage in plan.stages.values():
        resources = plan.spec.execution.resources(stage.kind)
        if stage.source is not None and resources.offload == "cpu":
            _check_offload(stage, resources)
        if resources.members == 1:
            continue
        asked = f"gpus={resources.gpus:g}" if resources.gpus else f"processes={resources.processes}"
        key = {"base": "embedded.pretraining.optimiser", **KEYS}.get(stage.kind, stage.kind)
        node = stage.node
        if not isinstance(node, Trajectory):  # only evaluated, by one process of them
            continue
        if node.optimiser.lora is not None:
            if resources.gpus:  # one process, which spreads the layers over the cards
                continue
            raise PreflightError(
                f"{key}.lora: an adapter is trained by one process, and execution.{asked} asks for "
                f"{resources.members} where all weights are trained; give this kind one: "
                f"--set 'execution.of_kind={{{stage.kind}: {{processes: 1}}}}'"
            )
        if node.optimiser.batch_size % resources.members:
            raise PreflightError(
                f"{key}.batch_size={node.optimiser.batch_size} cannot be dealt alike to the {resources.members} "
                f"processes of execution.{asked}; give a multiple of {resources.members}, or other resources to this "
                f"kind (execution.of_kind={{{stage.kind}: …}})"
            )


def _check_offload(stage: Stage, resources: Resources) -> None:
    key = {"base": "embedded.pretraining.optimiser", **KEYS}.get(stage.kind, stage.kind)
    node = stage.node
    if not resources.gpus:
        raise PreflightError(
            f"execution.offload=cpu: a stage of kind {stage.kind} computes on the CPU (gpus=0), where its layers lie "
            "anyway; leave it out, or give it a GPU: "
            f"--set 'execution.of_kind={{{stage.kind}: {{gpus: 1, offload: cpu}}}}'"
        )
    if isinstance(node, Trajectory) and node.optimiser.lora is None:
        raise PreflightError(
            f"execution.offload=cpu keeps layers in main memory that are not trained, and a stage of kind {stage.kind} "
            f"trains all weights; let several GPUs of a node train together "
            f"(--set 'execution.of_kind={{{stage.kind}: {{gpus: 2}}}}'), or train an adapter (--set {key}.lora={{}})"
        )


def _check_precision(plan: Plan) -> None:
    """Weights in bfloat16 are not trained: small updates of them are lost (tests/study/weights/test_precision.py)."""
    trained = [
        stage.kind
        for stage in plan.stages.values()
        if isinstance(stage.node, Trajectory) and stage.node.optimiser.lora is None
    ]
    if plan.spec.precision == "bfloat16" and trained:
        raise PreflightError(
            f"precision=bfloat16: a stage of kind {trained[0]} would train weights in bfloat16, which loses most small "
            "updates (12 steps at a learning rate of 1e-5 change 15% of the weights); use --set precision=mixed: "
            "products in bfloat16, weights in float32; or train adapters in every stage (the key lora of an optimiser)"
        )


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
        source = stage.source
        if source is None:  # a service's: it has the model, the tokenizer and the memory
            continue
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
    from study.models.token_ids import lacks_characters, split_text, unknown_pieces
    from study.models.tokenizer import context_of, load_tokenizer, longest_alike
    from study.training.encoding import encode

    tokenizer, context, border = load_tokenizer(source), context_of(source), longest_alike(source)
    lacking = lacks_characters(tokenizer)
    longest, highest = 1, 0
    texts = {}
    for corpus in corpora.values():
        rows = encode(corpus, tokenizer, context, plan.spec.max_length)
        longest = max(longest, *(len(row.ids) for row in rows))
        for row in rows:
            if border is not None and len(row.ids) > border:
                what = f"training text {row.index + 1}: {corpus.examples[row.index].text[:60]!r}…"
                raise _longer_than_alike(source, len(row.ids), border, what, f"--set max_length={border}")
        texts[corpus.digest] = len(rows)
        highest = max(highest, *(max(row.ids) for row in rows))
    for node in _trajectories(plan, source):
        if node.generic is not None and texts[node.generic.digest] != texts[node.data.digest]:
            raise PreflightError(
                f"max_length={plan.spec.max_length}: {texts[node.data.digest]} texts of the forget set are left with a "
                f"token to learn, and {texts[node.generic.digest]} in its generic terms, where {_method_name(node)} "
                "needs one for each; raise max_length"
            )
    for evaluation in evaluations.values():
        for probe in evaluation.probes.probes:
            asked = f"{probe.prompt} {probe.target}"
            if lacking and (unknown := unknown_pieces(tokenizer, asked, len(probe.prompt))):
                raise PreflightError(
                    f"probe {probe.name}: the tokenizer knows no token for {unknown[0]!r} of the answer that is "
                    f"asked, {probe.target[:60]!r}, which would be learned and asked as "
                    f"{tokenizer.unk_token or 'nothing at all'}; "
                    "take a model whose tokenizer knows this script, or take the text out of the data"
                )
            split = split_text(tokenizer, probe.prompt, f" {probe.target}")
            if not 0 < split.prompt < len(split.ids):
                part, of = ("prompt", probe.prompt) if split.prompt == 0 else ("answer", probe.target)
                raise PreflightError(
                    f"probe {probe.name}: the tokenizer makes no token of its {part} {of[-60:]!r}, so that nothing can "
                    "be asked; take a model whose tokenizer knows this script, or take the probe out of the data"
                )
            highest = max(highest, *split.ids)
            tokens = max(split.prompt + evaluation.generation.max_new_tokens, len(split.ids))
            if tokens > context:
                raise PreflightError(
                    f"probe {probe.name} takes {tokens} tokens with what is generated, and the model's context is "
                    f"{context}: {probe.prompt[:60]!r}…; shorten it, lower generation.max_new_tokens, or use a "
                    "model with a longer context (--set embedded.architecture.context=… for the embedded one)"
                )
            if border is not None and tokens > border:
                what = f"probe {probe.name} with what is generated: {probe.prompt[:60]!r}…"
                remedy = "shorten it, lower generation.max_new_tokens"
                raise _longer_than_alike(source, tokens, border, what, remedy)
    if isinstance(source, Pretrained):
        _check_vocabulary(source, highest, str(tokenizer.convert_ids_to_tokens(highest)))
    return longest


def _longer_than_alike(
    source: Embedded | Pretrained, tokens: int, border: int, what: str, remedy: str
) -> PreflightError:
    return PreflightError(
        f"model={getattr(source, 'location', 'embedded')}: its rotary embedding changes for texts of more than "
        f"{border} tokens (rope_parameters in config.json), so that beside such a text a short one would be read in "
        f"another way than alone; there is one of {tokens} ({what}): {remedy}, or take a model whose embedding does "
        "not depend on the length"
    )


def _check_vocabulary(source: Pretrained, highest: int, token: str) -> None:
    """Whether the model has an embedding of the highest token id that any text has."""
    from study.models.adapters.peft_folder import adapters_of, embedding_rows
    from study.models.config_json import number_of
    from study.models.pretrained import local_folder

    folder = Path(local_folder(source.location, source.fingerprint))
    rows = number_of(folder, "vocab_size", default=highest + 1)
    for adapter in adapters_of(source.location):
        rows = embedding_rows(adapter) or rows
    if highest >= rows:
        raise PreflightError(
            f"model={source.location}: a text has token {highest} ({token!r}), and the model knows {rows} "
            "(vocab_size in config.json): take the tokenizer that belongs to the model, or save the model after "
            "resize_token_embeddings"
        )


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
    """A pretrained model is tried as a whole instead, see ``study.performing.self_test``."""
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


def rough_demands(plan: Plan) -> list[Demand]:
    """What stages need, before any text is cut into tokens: three characters count as one."""
    demands = []
    for source, (corpora, _) in by_source(plan).items():
        if isinstance(source, Pretrained):
            texts = (len(example.text) for corpus in corpora.values() for example in corpus.examples)
            longest = max(texts, default=0) // CHARACTERS_OF_A_TOKEN + 1
            demands += _demands(plan, source, min(longest, plan.spec.max_length or longest))
    return demands


def _demands(plan: Plan, source: Pretrained, longest: int) -> list[Demand]:
    """What stages of each kind of a model need; of stages of one kind, the most."""
    from study.models.memory import Need, size_of, stage_need

    size = size_of(source)
    execution = plan.spec.execution
    most: dict[str, Need] = {}
    of_all_weights = set()
    for stage in plan.stages.values():
        if stage.source == source:
            if isinstance(stage.node, Trajectory) and stage.node.optimiser.lora is None:
                of_all_weights.add(stage.kind)
            need = stage_need(stage, size, execution, longest)
            known = most.get(stage.kind, need)
            most[stage.kind] = Need(max(known.device, need.device), max(known.host, need.host))
    return [
        Demand(kind, source.location, execution.resources(kind), need, kind in of_all_weights)
        for kind, need in sorted(most.items())
    ]


def _check_memory(demands: Sequence[Demand]) -> None:
    """On this machine; a stage that asks for a GPU where none is seen is Ray's to refuse."""
    cards, card_memory = 0, 0
    if any(demand.resources.gpus for demand in demands):
        from study.models.hardware import gpu_bytes, gpu_count

        cards, card_memory = gpu_count(), gpu_bytes() or 0
    machine = this_machine(len(os.sched_getaffinity(0)), cards, card_memory)
    for demand in demands:
        if demand.resources.gpus and not cards:
            continue
        lacks = misfit(demand, machine)
        if lacks is not None:
            raise PreflightError(f"{lacks} on this machine; {remedies([demand])}")


def local_slots(spec: StudySpec) -> int:
    """How many stages this machine runs at once, of those that all kinds of stage leave room for."""
    at_once = len(os.sched_getaffinity(0)) // spec.execution.cores
    if spec.execution.gpus:
        from study.models.hardware import gpu_count

        at_once = min(at_once, int(gpu_count() / spec.execution.gpus))
    return int(min(max(1, at_once), spec.most_at_once))
