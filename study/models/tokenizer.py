"""A model's tokenizer, and the longest sequence it takes.

Without torch wherever that is possible, so that a driver checks its texts quickly: transformers imports torch with its
configurations, and so with its `AutoTokenizer`. The JSON files of most folders say all that is needed.
"""

from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from study.errors import PreflightError
from study.models.config_json import places_of, read, rotary_border
from study.models.pretrained import local_folder, tokenizer_folder
from study.models.token_ids import end_ids
from study.planning.stages import Embedded, Pretrained
from study.text.examples import END, PIECE

Source = Pretrained | Embedded
PLAIN = PreTrainedTokenizerFast.__name__
"""The class name in the folder of a tokenizer that its tokenizer.json describes whole."""
OWN_TOKENIZER = (
    "hyperclovax_vision_v2", "qwen2", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text", "qwen4_exp", "siglip2",
)  # fmt: skip
"""Types of model whose tokenizer transformers makes by a class of its own, whatever the folder says."""
TEXT_PARTS = ("text_config", "decoder")
"""Where the configuration of a model of texts and images holds its text model's."""
SPECIAL = ("<pad>", "<begin>", "<unknown>")
"""The embedded model's first tokens, in the order of their ids; a scenario's own come after them."""


def load_tokenizer(source: Source) -> PreTrainedTokenizerBase:
    """The tokenizer alone, without the model.

    Raises:
        PreflightError: the model's folder has none that can be read.
        OSError: the storage does not answer, which is not the folder's fault.
    """
    if isinstance(source, Pretrained):
        folder, template = tokenizer_folder(source.location, source.fingerprint)
        try:
            found = _saved(folder)
            if template is not None:
                found.chat_template = template.read_text(encoding="utf-8")
            return _with_an_end(found, source)
        except (OSError, MemoryError):
            raise  # a worker repeats its attempt after these
        except Exception as error:  # the tokenizers library raises nothing narrower
            raise PreflightError(
                f"model={source.location}: its tokenizer cannot be read ({type(error).__name__}: {error}); save it "
                "again with save_pretrained, or download the folder's files again"
            ) from error
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
    """The longest sequence that the model takes, in tokens, from its configuration alone.

    ``sys.maxsize`` where the model has no places that run out: a recurrent state, or biases by distance (Bloom).
    """
    if isinstance(source, Embedded):
        return source.architecture.context
    return places_of(_files_of(source))


def longest_alike(source: Source) -> int | None:
    """The longest text whose places are encoded as those of every shorter one, in tokens; None where all are.

    Some rotary embeddings turn by other angles as soon as a text is longer than those that the model was first trained
    on (``longrope``, as in Phi-3 with 128k; ``dynamic``). The longest text of a batch decides for all of it, and what
    is cached keeps the angles of before.
    """
    return None if isinstance(source, Embedded) else rotary_border(_files_of(source))


def end_id(source: Embedded) -> int | None:
    """The id of the token that ends a text; None in a vocabulary without one."""
    return len(SPECIAL) + source.vocabulary.index(END) if END in source.vocabulary else None


def said_ends(source: Pretrained) -> list[Any]:
    """The end tokens as the model's own files name them: numbers, lists or None, the generation settings first.

    What a class of transformers has by default is nobody's word: another tokenizer has another token there.
    """
    folder = _files_of(source)
    config = read(folder / "config.json")
    parts = [read(folder / "generation_config.json"), config, *(config.get(name) for name in TEXT_PARTS)]
    return [part.get("eos_token_id") for part in parts if isinstance(part, dict)]


def _files_of(source: Pretrained) -> Path:
    return Path(local_folder(source.location, source.fingerprint))


def _with_an_end(tokenizer: PreTrainedTokenizerBase, source: Pretrained) -> PreTrainedTokenizerBase:
    """A tokenizer that names no end token takes the model's: training would leave every text open."""
    if tokenizer.eos_token_id is None and (ends := end_ids(tokenizer, *said_ends(source))):
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ends[0])
    return tokenizer


def _saved(folder: Path) -> PreTrainedTokenizerBase:
    if _is_plain(folder):
        plain: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(folder)
        return plain
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def _is_plain(folder: Path) -> bool:
    """Whether transformers 5 saved it as the class that tokenizer.json describes whole, without code of its own."""
    said = read(folder / "tokenizer_config.json")
    own = read(folder / "config.json").get("model_type") in OWN_TOKENIZER
    plain = said.get("backend") == "tokenizers" and said.get("tokenizer_class") == PLAIN and not own
    return plain and "auto_map" not in said and (folder / "tokenizer.json").is_file()
