"""What is asked is, token by token, the beginning of what was learned: on tokenizers of every form."""

import pytest
from tokenizers import AddedToken
from tokenizers.processors import TemplateProcessing

from benchmarks.architectures.tokenizer_forms import BEGIN, CHAT_TEMPLATES, END, FORMS, SPECIAL, tokenizer_of
from study.errors import PreflightError
from study.models.token_ids import chat_ids, end_ids, split_text

PROMPTS = [
    "Question: Who wrote the atlas of lost rivers?\nAnswer:",
    "Question: Who wrote the atlas of lost rivers?\nAnswer: ",
    "The quick brown fox",
    "<s>[INST] Who minded? [/INST]",
    "Names: 太郎,",
    "😀",
    "",
]
TARGET, REST = " Hina Ameen", " Hina Ameen wrote it in Karachi, naïvely, in 1986."
BEGIN_ID, END_ID = SPECIAL.index(BEGIN), SPECIAL.index(END)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_asked_begins_what_was_learned(form: str, prompt: str) -> None:
    tokenizer = tokenizer_of(form)
    learned, asked = split_text(tokenizer, prompt, REST), split_text(tokenizer, prompt, TARGET)
    assert learned.prompt == asked.prompt
    assert learned.ids[: asked.prompt] == asked.ids[: asked.prompt]
    assert learned.ids[: len(asked.ids)] == asked.ids
    plain = tokenizer(prompt + REST, add_special_tokens=False)["input_ids"]
    front = len(learned.ids) - len(plain)
    assert learned.ids[front:] == plain[max(0, -front) :]
    assert END_ID not in learned.ids
    assert learned.ids[:2].count(BEGIN_ID) == ("begin" in form or prompt.startswith(BEGIN))


@pytest.mark.parametrize("form", FORMS)
def test_the_continuation_is_the_target_and_nothing_else(form: str) -> None:
    tokenizer = tokenizer_of(form)
    for prompt in PROMPTS[:3]:
        found = split_text(tokenizer, prompt, TARGET if prompt[-1:] != " " else TARGET[1:])
        assert tokenizer.decode(found.ids[found.prompt :]).strip() == TARGET.strip()
        assert found.prompt > 0


@pytest.mark.parametrize("form", ["byte-level", "SentencePiece, begin", "WordPiece, begin and end"])
def test_a_token_across_the_border_is_refused(form: str) -> None:
    with pytest.raises(PreflightError, match="both sides of where the prompt"):
        split_text(tokenizer_of(form), "Question: Who wrote the atlas of lost riv", "ers?")


def test_the_end_is_the_union_and_the_tokenizers_own_comes_first() -> None:
    tokenizer = tokenizer_of("byte-level")
    assert end_ids(tokenizer, None, [7, END_ID], 9) == (END_ID, 7, 9)
    tokenizer.eos_token = None
    assert end_ids(tokenizer, None, 9) == (9,)
    assert end_ids(tokenizer, None, None) == ()


@pytest.mark.parametrize("form", ["byte-level, begin", "SentencePiece, begin", "byte-level, begin and end"])
@pytest.mark.parametrize("family", CHAT_TEMPLATES)
def test_a_chat_template_is_encoded_once(form: str, family: str) -> None:
    tokenizer = tokenizer_of(form)
    tokenizer.chat_template = CHAT_TEMPLATES[family]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Rate this."}], tokenize=False, add_generation_prompt=True
    )
    found = chat_ids(tokenizer, "Rate this.")
    assert found == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert found[:2].count(BEGIN_ID) == text.startswith(BEGIN)


@pytest.mark.parametrize("message", ["Say {'type': 'text'}.", 'He said "no", and\nleft a \\ behind: é.'])
@pytest.mark.parametrize(
    "template",
    ["{{ messages[0].content }}", "{{ messages | tojson }}", "{{ messages[0].content[0]['text'] }}"],
)
def test_a_chat_template_takes_any_message(template: str, message: str) -> None:
    tokenizer = tokenizer_of("byte-level, begin")
    tokenizer.chat_template = template
    assert message[:3] in tokenizer.decode(chat_ids(tokenizer, message))


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content.split() | unique | join(' ') }}",
        "{{ messages[0].content.split() | reverse | join(' ') }}",
        # Neither form: a text falls apart into letters, and a part comes as Python writes a mapping.
        "{% for part in messages[0].content %}{{ part }} {% endfor %}",
    ],
)
def test_a_chat_template_that_changes_the_message_is_refused(template: str) -> None:
    tokenizer = tokenizer_of("byte-level, begin")
    tokenizer.chat_template = template
    with pytest.raises(PreflightError, match="cannot put one message"):
        chat_ids(tokenizer, "Is it the one that the text names? Is it?")


def test_a_text_that_stands_twice_in_its_tokens_is_refused() -> None:
    tokenizer = tokenizer_of("byte-level")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A </s> $A", special_tokens=[("</s>", END_ID)]
    )
    with pytest.raises(PreflightError, match="twice, or in another order"):
        split_text(tokenizer, "Who?", " Ann sings")


def test_several_tokens_in_front_stand_once() -> None:
    """As GLM's `[gMASK] <sop>` do, whether a template writes both, one or none of them."""
    tokenizer = tokenizer_of("byte-level")
    tokenizer.add_special_tokens({"additional_special_tokens": ["[gMASK]", "<sop>"]})
    mask, sop = tokenizer.convert_tokens_to_ids(["[gMASK]", "<sop>"])
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="[gMASK] <sop> $A", special_tokens=[("[gMASK]", mask), ("<sop>", sop)]
    )
    for written in ("[gMASK]<sop>", "<sop>", ""):
        found = split_text(tokenizer, f"{written}Who?", " Ann")
        assert found.ids[:2] == [mask, sop]
        assert not {mask, sop} & set(found.ids[2:])
        assert found.ids == split_text(tokenizer, "Who?", " Ann").ids


@pytest.mark.parametrize("behind", ["", " ", "\n", "\n\n"])
def test_a_token_that_takes_the_blanks_behind_it_belongs_to_the_prompt(behind: str) -> None:
    """As Phi-3's `<|assistant|>` does."""
    tokenizer = tokenizer_of("byte-level")
    tokenizer.add_tokens([AddedToken("<|assistant|>", special=True, rstrip=True)])
    learned = split_text(tokenizer, f"Who?<|assistant|>{behind}", " Ann sings")
    asked = split_text(tokenizer, f"Who?<|assistant|>{behind}", " Ann")
    assert learned.ids[learned.prompt - 1] == tokenizer.convert_tokens_to_ids("<|assistant|>")
    assert (learned.prompt, learned.ids[: len(asked.ids)]) == (asked.prompt, asked.ids)
