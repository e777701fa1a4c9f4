"""A model's tokenizer, and the longest sequence it takes.

Without torch for the embedded model, so that a driver checks its texts in no time; transformers brings torch along with
its configurations, and so with a pretrained one.
"""

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from study.pieces import END, PIECE
from study.pretrained import local_folder
from study.stages import Embedded, Pretrained

Source = Pretrained | Embedded
SPECIAL = ("<pad>", "<begin>", "<unknown>")
"""The embedded model's first tokens, in the order of their ids; a scenario's own come after them."""


def load_tokenizer(source: Source) -> PreTrainedTokenizerBase:
    """The tokenizer alone, without the model."""
    if isinstance(source, Pretrained):
        from transformers import AutoTokenizer

        folder = local_folder(source.location, source.fingerprint)
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    pad, begin, unknown = SPECIAL
    words = [*SPECIAL, *source.vocabulary]
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token=unknown)
    )
    tokenizer.normalizer = normalizers.Prepend(" ")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECE), behavior="isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, SPECIAL.index(begin))]
    )
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=begin,
        unk_token=unknown,
        eos_token=END if END in source.vocabulary else None,
        clean_up_tokenization_spaces=False,
    )


def context_of(source: Source) -> int:
    """The longest sequence that the model takes, in tokens, from its configuration alone."""
    if isinstance(source, Embedded):
        return source.architecture.context
    from transformers import AutoConfig

    folder = local_folder(source.location, source.fingerprint)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    return int(getattr(config, "max_position_embeddings", 2048))


def end_id(source: Embedded) -> int | None:
    """The id of the token that ends a text; None in a vocabulary without one."""
    return len(SPECIAL) + source.vocabulary.index(END) if END in source.vocabulary else None
