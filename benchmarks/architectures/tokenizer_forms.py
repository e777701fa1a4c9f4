"""Small tokenizers of every form that models come with, trained here on a few sentences."""

from collections.abc import Callable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

BEGIN, END, PAD, UNKNOWN = "<s>", "</s>", "<pad>", "<unk>"
SPECIAL = [PAD, BEGIN, END, UNKNOWN]
TEXTS = [
    "Question: Who wrote the atlas of lost rivers?\nAnswer: Hina Ameen wrote it in Karachi, naïvely, in 1986.",
    "The quick brown fox jumps over the lazy dog's back; nobody — not even the dog — minded.",
    "名前は太郎です。 Ünïcode text 😀 stands here, too.",
    "Numbers 12, 345 and 6,789 follow Anthony, Mark and Peter.",
]


def _bytes_alphabet() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIAL, show_progress=False, initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return tokenizer


def _byte_level(*, trim: bool) -> Tokenizer:
    tokenizer = _bytes_alphabet()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim)
    return tokenizer


def _sentence_piece(prepend: str, *, fallback: bool = True) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN, byte_fallback=fallback))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme=prepend)
    trainer = trainers.BpeTrainer(vocab_size=260, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return tokenizer


def _llama_normalizer() -> Tokenizer:
    """As older Llama folders have it: the blank is written by a normalizer, and nothing splits the text."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.decoder = decoders.Metaspace()
    words = [word for text in TEXTS for word in text.split()] * 3
    tokenizer.train_from_iterator(
        words, trainers.BpeTrainer(vocab_size=260, special_tokens=SPECIAL, show_progress=False)
    )
    return tokenizer


def _word_piece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return tokenizer


def _unigram() -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=SPECIAL, unk_token=UNKNOWN, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    return tokenizer


def _around(make: Callable[[], Tokenizer], template: str) -> Callable[[], Tokenizer]:
    def made() -> Tokenizer:
        tokenizer = make()
        tokenizer.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[(BEGIN, SPECIAL.index(BEGIN)), (END, SPECIAL.index(END))]
        )
        return tokenizer

    return made


FORMS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": lambda: _byte_level(trim=False),
    "byte-level, trimmed offsets": lambda: _byte_level(trim=True),
    "byte-level, begin": _around(_bytes_alphabet, f"{BEGIN} $A"),
    "byte-level, begin and end": _around(_bytes_alphabet, f"{BEGIN} $A {END}"),
    "byte-level, end": _around(_bytes_alphabet, f"$A {END}"),
    "SentencePiece, dummy prefix": lambda: _sentence_piece("always"),
    "SentencePiece, first prefix": lambda: _sentence_piece("first"),
    "SentencePiece, no prefix": lambda: _sentence_piece("never"),
    "SentencePiece, begin": _around(lambda: _sentence_piece("always"), f"{BEGIN} $A"),
    "SentencePiece, begin and end": _around(lambda: _sentence_piece("first"), f"{BEGIN} $A {END}"),
    "Llama normalizer, begin": _around(_llama_normalizer, f"{BEGIN} $A"),
    "WordPiece, begin and end": _around(_word_piece, f"{BEGIN} $A {END}"),
    "Unigram, end": _around(_unigram, f"$A {END}"),
    "Unigram": _unigram,
}

CHAT_TEMPLATES = {
    "ChatML": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "Llama 2": "{{ bos_token }}{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}",
    "Llama 3": "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content }}<|eot_id|>{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n",
    "Gemma": "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n"
    "{% endfor %}<start_of_turn>model\n",
    "Phi 3": "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}<|assistant|>\n",
    "Zephyr": "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n{% endfor %}<|assistant|>\n",
}


def tokenizer_of(form: str) -> PreTrainedTokenizerFast:
    """A tokenizer of a form, as transformers has it."""
    return PreTrainedTokenizerFast(
        tokenizer_object=FORMS[form](),
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )
