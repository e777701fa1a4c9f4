"""A model tried before anything is spent: what relearn makes of it beside a plain pass of transformers.

Families differ in what they cache, in how they take padding, in what an adapter can wrap. Instead of a list of what is
known to work, the model itself is asked: prompts of different length together and alone, with a cache and without,
likelihoods beside a plain pass, an adapter merged and not, one optimiser step. What differs is refused, with the
setting that works where there is one.

The sentences are short: a large model costs its loading and about thirty passes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch

from study.errors import DivergedError, PreflightError
from study.evaluation.answering.generation import answer_ids
from study.evaluation.answering.plain_pass import TOLERANCE, apart, less_likely, plain_logits
from study.models.adapters.lora import Adapter
from study.models.adapters.peft_folder import adapters_of
from study.models.devices.placement import Placement
from study.models.hardware import devices_of
from study.models.resident import Resident
from study.models.structure import attentions, refuse_lora, without_weights
from study.models.token_ids import split_text
from study.models.tokenizer import longest_alike
from study.performing.self_test.adapter_chain import peft_logits
from study.performing.self_test.request import Request
from study.planning.stages import Checkpoint, Pretrained, Trajectory
from study.settings.optimiser import LoRA, Optimiser
from study.text.examples import Corpus, Example
from study.training.batches import collate
from study.training.encoding import Encoded
from study.training.loop import train
from study.unlearning.objective import IGNORED, next_token_logits, sequence_log_likelihood

SENTENCES = (
    ("Question: Who wrote the atlas of lost rivers?\nAnswer:", " Hina Ameen wrote it in 1986."),
    ("The quick brown fox", " jumps over the dog."),
    ("In the morning they went down to the river, where", " the boat was."),
)
"""Prompts of different length, with their continuations."""
NEW_TOKENS = 12
LEAST_ROOM = 4
RATE = 1e-4
LOADING = "loading it"


def self_test(request: Request) -> None:
    """Tries the model of a request.

    Raises:
        PreflightError: it cannot be loaded, or relearn would not use it as transformers does.
    """
    source = request.source
    model = without_weights(source)
    supported = attentions(model)
    if source.attention not in supported:
        raise PreflightError(
            f"model={source.location}: {type(model).__name__} has no attention {source.attention!r}; it has "
            f"{' and '.join(supported)}: --set attention={supported[-1]}"
        )
    for key, lora in request.adapters.items():
        refuse_lora(source, lora, key)
    try:
        _try(request)
    except _DiffersError as difference:
        raise PreflightError(f"{difference}{_another_attention(request, supported)}") from None


def _another_attention(request: Request, supported: tuple[str, ...]) -> str:
    """The setting that works, tried; or that none does."""
    for other in supported:
        if other in (request.source.attention, "flash_attention_2"):
            continue
        try:
            _try(replace(request, source=replace(request.source, attention=other)))
        except PreflightError:
            continue
        return f"; --set attention={other} works"
    return "; take another model, or report this one"


class _DiffersError(PreflightError):
    """The model does something else than in a plain pass."""


def _try(request: Request) -> None:
    source = request.source
    with _in_words(source, LOADING):
        resident = Resident(source, Placement(devices_of(request.gpus), request.offload == "cpu"))
    rows = _encoded(resident)
    tolerance = TOLERANCE[source.precision]
    if adapters_of(source.location):
        with _in_words(source, "its adapter beside peft's own"):
            _try_chain(resident, source, rows[0].ids, tolerance)
    with _in_words(source, "asking it"):
        _try_asking(resident, rows, tolerance)
    with _in_words(source, "training it"):
        _try_batch(resident, rows, tolerance)
    for key, lora in request.adapters.items():
        with _in_words(source, f"an adapter ({key}.lora)"):
            _try_adapter(resident, lora, key, rows, tolerance)
            _try_step(resident, lora, request.activation_checkpointing)
    if request.full:
        with _in_words(source, "an optimiser step"):
            _try_step(resident, None, request.activation_checkpointing)


@contextmanager
def _in_words(source: Pretrained, what: str) -> Iterator[None]:
    """Whatever goes wrong inside is a reason to refuse: each architecture raises errors of its own."""
    try:
        yield
    except (PreflightError, OSError, MemoryError):
        raise
    except torch.OutOfMemoryError as error:
        raise PreflightError(
            f"model={source.location}: {what} takes more memory than there is; train adapters "
            "(--set relearn.lora={}), or take a smaller model"
        ) from error
    except DivergedError as error:
        raise PreflightError(f"model={source.location}: its likelihoods are not finite ({error})") from error
    except Exception as error:
        if "mismatch" in str(error) and what == LOADING:
            raise PreflightError(
                f"model={source.location}: its weights have other sizes than its config.json says (vocab_size, "
                "hidden_size or another); mend config.json, or take the folder as its maker saved it"
            ) from error
        raise _DiffersError(
            f"model={source.location}: {what} fails with attention={source.attention}, precision={source.precision} "
            f"({type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''})"
        ) from error


def _encoded(resident: Resident) -> list[Encoded]:
    """The sentences in tokens; a model of few places is asked the ends of their prompts."""
    room = _room(resident) - NEW_TOKENS
    if room < LEAST_ROOM:
        raise PreflightError(
            f"the model's context is {_room(resident)} tokens (max_position_embeddings in its config.json); "
            f"expected at least {NEW_TOKENS + LEAST_ROOM}"
        )
    found = []
    for index, (prompt, continuation) in enumerate(SENTENCES):
        split = split_text(resident.tokenizer, prompt, continuation)
        over = min(max(0, len(split.ids) - room), split.prompt - 2)
        ids = [split.ids[0], *split.ids[1 + over :]] if over > 0 else split.ids
        prompt_tokens = split.prompt - max(0, over)
        found.append(Encoded(ids[: max(room, prompt_tokens + 1)], prompt_tokens, index, cut=False))
    # The first prompt the other way round: two prompts of one length are read together by every family.
    first = found[0]
    turned = [first.ids[0], *reversed(first.ids[1 : first.prompt]), *first.ids[first.prompt :]]
    return [*found, Encoded(turned, first.prompt, len(found), cut=False)]


def _room(resident: Resident) -> int:
    """The tokens that every text of a study has room in, prompts and what is generated together."""
    border = longest_alike(resident.source)
    return resident.context if border is None else min(resident.context, border)


def _try_chain(resident: Resident, source: Pretrained, ids: list[int], tolerance: float) -> None:
    difference = apart(plain_logits(resident, ids), peft_logits(resident, source, ids))
    if not difference <= 2 * tolerance:
        raise _DiffersError(
            f"model={source.location}: with its adapter merged, what it predicts lies {difference:.4f} nats from what "
            "peft makes of it; merge it where it was made (merge_and_unload, save_pretrained), and name that folder"
        )


def _try_asking(resident: Resident, rows: list[Encoded], tolerance: float) -> None:
    place = f"model={resident.source.location}" if isinstance(resident.source, Pretrained) else "the model"
    prompts = [row.ids[: row.prompt] for row in rows]
    targets = [row.ids[row.prompt :] for row in rows]
    ours = answer_ids(resident, prompts, targets, NEW_TOKENS, batch_size=len(rows))
    for prompt, target, (new, nll, _) in zip(prompts, targets, ours, strict=True):
        logits = plain_logits(resident, prompt + target)
        alone = plain_logits(resident, prompt)
        if apart(logits[: len(prompt)], alone) > tolerance:
            raise PreflightError(
                f"{place}: what it predicts after a word depends on the words that follow, so it does not continue "
                "texts (an encoder); take a causal language model, or set is_decoder to true in its config.json"
            )
        likely = logits[len(prompt) - 1 : -1].log_softmax(1)
        expected = -float(likely.gather(1, torch.tensor(target, device=likely.device)[:, None]).sum())
        if abs(nll - expected) > tolerance * len(target) * 2:
            raise _DiffersError(
                f"{place}: asked together with prompts of other lengths, a target has an NLL of {nll:.4f}, and in a "
                f"plain pass {expected:.4f}"
            )
        if (wrong := less_likely(resident, prompt, new)) is not None:
            raise _DiffersError(
                f"{place}: with a cache it continues a text with token {wrong[0]}, and in a plain pass with {wrong[1]}"
            )


def _try_batch(resident: Resident, rows: list[Encoded], tolerance: float) -> None:
    tokens = collate(rows, resident)
    with torch.inference_mode(), resident.autocast():
        found = sequence_log_likelihood(next_token_logits(resident.model, tokens), tokens.labels[:, 1:])
    for row, ours in zip(rows, found.tolist(), strict=True):
        logits = plain_logits(resident, row.ids)[:-1]
        labels = torch.tensor([IGNORED] * row.prompt + row.ids[row.prompt :], device=logits.device)[1:]
        plain = float(sequence_log_likelihood(logits[None], labels[None]))
        if abs(ours - plain) > tolerance * 2 * (len(row.ids) - row.prompt):
            raise _DiffersError(
                f"model={_location(resident)}: in a batch a text has a log-likelihood of {ours:.4f}, alone {plain:.4f}"
            )


def _try_adapter(resident: Resident, lora: LoRA, key: str, rows: list[Encoded], tolerance: float) -> None:
    ids = rows[0].ids
    before = plain_logits(resident, ids)
    difference, targets = _merged_and_not(resident, lora, ids)
    if not torch.equal(before, plain_logits(resident, ids)):
        raise _DiffersError(
            f"model={_location(resident)}: an adapter leaves the model changed when it is taken off"
        )
    if difference > 2 * tolerance:
        fitting = [
            name
            for name in sorted(targets)
            if _merged_and_not(resident, lora.model_copy(update={"targets": (name,)}), ids)[0]
            <= 2 * tolerance
        ]
        wrong = ", ".join(sorted(targets - set(fitting)))
        raise PreflightError(
            f"{key}.lora: in model={_location(resident)} an adapter of {wrong} fails, or says other things beside the "
            "weights than merged into them, as the model reads those weights itself; "
            f"--set '{key}.lora.targets=[{', '.join(fitting)}]'"
        )


def _merged_and_not(resident: Resident, lora: LoRA, ids: list[int]) -> tuple[float, set[str]]:
    """How far apart a random adapter's predictions are, merged and not (nats), and the names of its layers.

    Infinitely far where the model cannot run with it: a router that is a linear layer returns more than its product.
    """
    try:
        adapter = Adapter(resident.model, lora, seed=0, device=resident.placement.of_adapters)
    except ValueError:  # experts that are one tensor are no target of their own
        return float("inf"), set()
    targets = adapter.targets()
    try:
        with torch.no_grad():
            for name, parameter in resident.model.named_parameters():
                if ".lora_B." in name:
                    parameter.normal_(std=0.02)
        resident.model.eval()
        beside = plain_logits(resident, ids)
        with adapter.switched_off(), resident.adding(adapter.product()):
            return apart(beside, plain_logits(resident, ids)), targets
    except (AttributeError, TypeError, ValueError, IndexError, KeyError):
        return float("inf"), targets
    finally:
        adapter.remove()


def _try_step(resident: Resident, lora: LoRA | None, checkpointing: bool) -> None:
    """One step, as a trajectory takes it; the weights are put back."""
    source = resident.source
    train(
        Trajectory(
            kind="relearn",
            parent=Checkpoint(source, 0),
            method=None,
            data=Corpus(tuple(Example(f"{prompt}{rest}") for prompt, rest in SENTENCES)),
            retain=None,
            optimiser=Optimiser(learning_rate=RATE, batch_size=len(SENTENCES), lora=lora),
            seed=0,
            max_length=_room(resident),
        ),
        resident,
        last_step=1,
        stops=(),
        reached=lambda step, progress, product: None,
        micro_batch=2,
        activation_checkpointing=checkpointing,
    )
    if resident.distance() == 0:
        raise _DiffersError(f"model={_location(resident)}: an optimiser step changes none of its weights")
    resident.reset()


def _location(resident: Resident) -> str:
    return getattr(resident.source, "location", "embedded")
