"""Tokenizers of every form beside plain transformers, on one tiny model with the same weights each time."""

import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import log_softmax
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from benchmarks.architectures.families import tiny_model
from benchmarks.architectures.tokenizer_forms import CHAT_TEMPLATES, END, FORMS, SPECIAL, tokenizer_of
from study.evaluation.answering.generation import answer_ids
from study.models.pretrained import fingerprint
from study.models.resident import Resident
from study.models.token_ids import chat_ids, split_text
from study.planning.stages import Pretrained

PROMPTS = (
    "Question: Who wrote the atlas of lost rivers?\nAnswer:",
    "The quick brown fox",
    "<s>[INST] Who minded? [/INST]",
    "Names: 太郎,",
    "😀",
)
REST, TARGET = " Hina Ameen wrote it in Karachi, naïvely, in 1986.", " Hina Ameen"
NEW_TOKENS = 8
END_ID = SPECIAL.index(END)


@dataclass(frozen=True)
class FormComparison:
    """A tokenizer's form beside plain transformers, over all prompts.

    Attributes:
        prefix: prompts of which what is asked is, token by token, the beginning of what was learned.
        ids: prompts of which the learned text has transformers' own ids, but for what the tokenizer puts behind a text
            and a second begin token.
        likelihood: greatest difference of the target's likelihood to a plain pass, in nats per token.
        greedy: continuations that are those of ``generate``.
        templates: chat templates whose ids are those of the template's own text, begun once.
    """

    form: str
    prefix: int
    ids: int
    likelihood: float
    greedy: int
    templates: int


def measured_forms() -> Iterator[FormComparison]:
    """One for each form of ``tokenizer_forms``."""
    for form in FORMS:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield _compare(form, Path(folder))


def _compare(form: str, folder: Path) -> FormComparison:
    tiny_model("llama").save_pretrained(folder)
    tokenizer_of(form).save_pretrained(folder)
    resident = Resident(Pretrained(str(folder), fingerprint(str(folder)), "sdpa", "float32"))
    plain = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    learned = [split_text(resident.tokenizer, prompt, REST) for prompt in PROMPTS]
    asked = [split_text(resident.tokenizer, prompt, TARGET) for prompt in PROMPTS]
    prompts = [each.ids[: each.prompt] for each in asked]
    targets = [each.ids[each.prompt :] for each in asked]
    answers = answer_ids(resident, prompts, targets, NEW_TOKENS, batch_size=len(PROMPTS))
    pairs = list(zip(learned, asked, strict=True))
    return FormComparison(
        form=form,
        prefix=sum(
            long.prompt == short.prompt and long.ids[: len(short.ids)] == short.ids for long, short in pairs
        ),
        ids=sum(
            each.ids == _theirs(tokenizer, prompt + REST)
            for each, prompt in zip(learned, PROMPTS, strict=True)
        ),
        likelihood=max(
            abs(nll - _plain_nll(plain, prompt, target)) / len(target)
            for prompt, target, (_, nll, _) in zip(prompts, targets, answers, strict=True)
        ),
        greedy=sum(
            new == _continued(plain, prompt) for prompt, (new, _, _) in zip(prompts, answers, strict=True)
        ),
        templates=sum(_template_agrees(form, template) for template in CHAT_TEMPLATES.values()),
    )


def _theirs(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Transformers' ids of a text, without the end tokens behind it and with one begin token in front."""
    ids = [int(each) for each in tokenizer(text)["input_ids"]]
    while ids[-1:] == [END_ID]:
        ids.pop()
    begin = SPECIAL.index("<s>")
    return ids[1:] if ids[:2] == [begin, begin] else ids


def _plain_nll(model: torch.nn.Module, prompt: list[int], target: list[int]) -> float:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([prompt + target]), use_cache=False).logits[0]
    likely = log_softmax(logits[len(prompt) - 1 : -1].double(), dim=1)
    return -float(likely.gather(1, torch.tensor(target)[:, None]).sum())


def _continued(model: torch.nn.Module, prompt: list[int]) -> list[int]:
    ids = torch.tensor([prompt])
    made = model.generate(  # type: ignore[operator]
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        pad_token_id=0,
        eos_token_id=END_ID,
    )
    return [int(each) for each in made[0, len(prompt) :]]


def _template_agrees(form: str, template: str) -> bool:
    tokenizer = tokenizer_of(form)
    tokenizer.chat_template = template
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Rate this."}], tokenize=False, add_generation_prompt=True
    )
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return chat_ids(tokenizer, "Rate this.") == ids
