"""One family beside plain transformers and peft: its answers, a full step and a step of an adapter."""

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from torch.nn.functional import log_softmax
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedModel

from benchmarks.architectures.families import tiny_model
from benchmarks.architectures.tokenizer_forms import tokenizer_of
from study.errors import PreflightError
from study.evaluation.answering.generation import answer_ids
from study.evaluation.answering.state_passes import WITHOUT_CACHE, caches_tokens
from study.identity import derived_seed
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.models.structure import attentions, without_weights
from study.models.token_ids import split_text
from study.performing.self_test.request import Request
from study.performing.self_test.trial import self_test
from study.planning.stages import Checkpoint, Pretrained, Trajectory
from study.settings.optimiser import LoRA, Optimiser
from study.text.examples import Corpus, Example
from study.training.loop import train

TEXTS = (
    ("Question: Who wrote the atlas?\nAnswer:", " Hina Ameen."),
    ("The quick brown fox", " jumps over the lazy dog."),
    ("Numbers 12, 345 and", " 6,789 follow."),
    ("Anthony,", " Mark and Peter."),
)
NEW_TOKENS = 8
RATE = 1e-3
RANK = 4


@dataclass(frozen=True)
class Comparison:
    """A family beside plain transformers; differences are the largest over the texts, in nats per token.

    Attributes:
        caches: the kinds of its cache's layers.
        asked: how it is asked: ``together``, ``equal lengths`` or ``without a cache``.
        ids: texts whose token ids are transformers' own.
        greedy: continuations that are those of ``generate`` one by one, without padding.
        likelihood: difference of the targets' likelihood.
        full_step, adapter_step: the same, after one AdamW step on all weights and on an adapter.
        targets: the adapter's.
        refused: what the self-test refused first, and what it named instead; empty where it refused nothing.
    """

    kind: str
    model: str
    attention: str
    caches: str
    asked: str
    ids: int
    greedy: int
    likelihood: float
    full_step: float
    adapter_step: float
    targets: str
    refused: str


def compare(kind: str, folder: Path) -> Comparison:
    """Makes a tiny model of a family in a folder, and measures it.

    Raises:
        PreflightError: the self-test refuses the family, and names no setting that works.
    """
    tiny_model(kind).save_pretrained(folder)
    tokenizer_of("byte-level, begin").save_pretrained(folder)
    source = Pretrained(str(folder), fingerprint(str(folder)), "eager", "float32")
    attention = next(name for name in attentions(without_weights(source)) if name != "flash_attention_2")
    source = replace(source, attention=attention)
    lora, refused = _adapter_that_fits(source)
    resident = Resident(source)
    plain = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    split = [split_text(resident.tokenizer, *text) for text in TEXTS]
    prompts = [each.ids[: each.prompt] for each in split]
    targets = [each.ids[each.prompt :] for each in split]
    answers = answer_ids(resident, prompts, targets, NEW_TOKENS, batch_size=len(TEXTS))
    return Comparison(
        kind=kind,
        model=type(plain).__name__,
        attention=attention,
        caches=_caches(plain),
        asked=_asked(plain),
        ids=sum(
            each.ids == tokenizer("".join(text))["input_ids"] for each, text in zip(split, TEXTS, strict=True)
        ),
        greedy=sum(
            new == _continued(plain, prompt) for prompt, (new, _, _) in zip(prompts, answers, strict=True)
        ),
        likelihood=_apart([nll for _, nll, _ in answers], plain, prompts, targets),
        full_step=_step_apart(resident, plain, None, prompts, targets),
        adapter_step=_step_apart(resident, plain, lora, prompts, targets),
        targets=lora.targets if isinstance(lora.targets, str) else ", ".join(lora.targets),
        refused=refused,
    )


def _adapter_that_fits(source: Pretrained) -> tuple[LoRA, str]:
    """The default adapter, or that with the targets which the self-test names; and what it refused."""
    lora = LoRA(rank=RANK)
    words: list[str] = []
    for _ in range(3):
        try:
            self_test(Request(source, {"relearn": lora}, full=True))
            return lora, "; ".join(words)
        except PreflightError as error:
            found = str(error)
            if "lora.targets=[" not in found:
                raise
            words.append(found.split("; --set")[0].split("lora: ")[-1])
            named = found.split("lora.targets=[")[1].split("]")[0]
            lora = LoRA(rank=RANK, targets=tuple(named.split(", ")))
    raise PreflightError(words[-1])


def _caches(model: PreTrainedModel) -> str:
    layers = {
        type(layer).__name__.removesuffix("Layer") for layer in DynamicCache(config=model.config).layers
    }
    return ", ".join(sorted(layers))


def _asked(model: PreTrainedModel) -> str:
    if caches_tokens(model):
        return "together"
    return "without a cache" if model.config.model_type in WITHOUT_CACHE else "equal lengths"


def _continued(model: PreTrainedModel, prompt: list[int]) -> list[int]:
    """The continuation by ``generate`` alone, or token by token where the family has a cache that it cannot use."""
    ids = torch.tensor([prompt])
    try:
        made = model.generate(  # type: ignore[operator]
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=2,
        )
    except (ValueError, RuntimeError, AttributeError):
        return _without_cache(model, prompt)
    return [int(each) for each in made[0, len(prompt) :]]


def _without_cache(model: PreTrainedModel, prompt: list[int]) -> list[int]:
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(NEW_TOKENS):
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
            if ids[-1] == 2:
                break
    return ids[len(prompt) :]


def _apart(
    found: list[float], plain: PreTrainedModel, prompts: list[list[int]], targets: list[list[int]]
) -> float:
    """The greatest difference to a pass over each text alone, in nats per token."""
    differences = []
    for nll, prompt, target in zip(found, prompts, targets, strict=True):
        with torch.inference_mode():
            logits = plain(input_ids=torch.tensor([prompt + target]), use_cache=False).logits[0]
        likely = log_softmax(logits[len(prompt) - 1 : -1].double(), dim=1)
        expected = -float(likely.gather(1, torch.tensor(target)[:, None]).sum())
        differences.append(abs(nll - expected) / len(target))
    return max(differences)


def _step_apart(
    resident: Resident,
    plain: PreTrainedModel,
    lora: LoRA | None,
    prompts: list[list[int]],
    targets: list[list[int]],
) -> float:
    """As ``_apart``, after one step of each: ours as a trajectory takes it, theirs with the model's own loss."""
    resident.reset()
    node = Trajectory(
        kind="relearn",
        parent=Checkpoint(resident.source, 0),
        method=None,
        data=Corpus(tuple(Example(rest.strip(), prompt=prompt) for prompt, rest in TEXTS)),
        retain=None,
        optimiser=Optimiser(learning_rate=RATE, batch_size=len(TEXTS), lora=lora),
        seed=0,
    )
    train(node, resident, 1, stops=(), reached=lambda step, progress, product: None, micro_batch=len(TEXTS))
    answers = answer_ids(resident, prompts, targets, 1, batch_size=len(TEXTS))
    resident.reset()
    theirs: Any = copy.deepcopy(plain)
    if lora is not None:
        torch.manual_seed(derived_seed(0, "relearn", "lora"))
        targeted = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
        config = LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, target_modules=targeted, task_type="CAUSAL_LM"
        )
        wrapped = get_peft_model(theirs, config)
        _plain_step(wrapped, prompts, targets)
        theirs = wrapped.merge_and_unload()
    else:
        _plain_step(theirs, prompts, targets)
    return _apart([nll for _, nll, _ in answers], theirs.eval(), prompts, targets)


def _plain_step(model: torch.nn.Module, prompts: list[list[int]], targets: list[list[int]]) -> None:
    """One AdamW step on the mean loss over all targets' tokens, each text in a pass of its own."""
    model.train()
    adamw = torch.optim.AdamW(
        [each for each in model.parameters() if each.requires_grad], lr=RATE, weight_decay=0.01
    )
    tokens = sum(len(target) for target in targets)
    for prompt, target in zip(prompts, targets, strict=True):
        ids = torch.tensor([prompt + target])
        labels: Tensor = ids.clone()
        labels[0, : len(prompt)] = -100
        loss = model(input_ids=ids, labels=labels, use_cache=False).loss
        (loss * len(target) / tokens).backward()
    adamw.step()
