"""Corpora as token ids, example by example. Without torch: the driver checks lengths with it before Ray starts."""

from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from study.errors import PreflightError
from study.models.token_ids import split_text
from study.text.examples import Corpus, Example


@dataclass(frozen=True)
class Encoded:
    """One example.

    Attributes:
        ids: its tokens.
        prompt: how many of them are the prompt's, which bear no loss.
        index: its place in the corpus, from 0.
        cut: whether its end is cut off.
    """

    ids: list[int]
    prompt: int
    index: int
    cut: bool

    @property
    def loss_tokens(self) -> int:
        """How many of them bear loss: those after the prompt that some earlier token predicts."""
        return len(self.ids) - max(self.prompt, 1)


def encode(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase, context: int, max_length: int | None = None
) -> list[Encoded]:
    """Token ids of each example; one that has nothing to learn within ``max_length`` is left out.

    Args:
        context: the model's, in tokens; what is longer is refused.
        max_length: where longer examples are cut off, if anywhere.

    Raises:
        PreflightError: an example is longer than the context, has no token to learn, or one token that belongs to
            its prompt and its completion.
    """
    end = tokenizer.eos_token_id
    rows = []
    nothing_left = 0
    for index, example in enumerate(corpus.examples):
        blank = " " if example.prompt else ""
        split = split_text(tokenizer, example.prompt, f"{blank}{example.completion}")
        prompt = split.prompt if example.prompt else 0  # of a text without a prompt, all is learned
        ids = split.ids
        if example.closed and end is not None and ids[-1:] != [end]:
            ids.append(int(end))
        whole = len(ids)
        ids = ids[:max_length]
        if len(ids) > context:
            raise PreflightError(
                f"training text {index + 1} has {len(ids)} tokens, the model's context is {context}: "
                f"shorten it, cut all off with --set max_length={context}, or use a model with a longer "
                "context (--set embedded.architecture.context=… for the embedded one): "
                f"{example.text[:60]!r}…"
            )
        if len(ids) < 2 or prompt >= len(ids):
            if max_length is None:
                raise PreflightError(
                    f"training text {index + 1} has no token to learn: {example.text[:60]!r}; take it out"
                )
            nothing_left += 1
            continue
        rows.append(Encoded(ids, prompt, index, len(ids) < whole))
    if not rows:
        raise PreflightError(
            f"max_length={max_length}: all {nothing_left} training texts are cut off before the first token "
            "to learn; raise it"
        )
    return rows


def tokens_up_to(example: Example, characters: int, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens the first so many characters of an example's text take; one that reaches further counts too."""
    text = example.text
    try:
        split = split_text(tokenizer, text[:characters], text[characters:])
    except PreflightError:  # a token lies on both sides
        return len(split_text(tokenizer, text[:characters], "").ids)
    return split.prompt if characters < len(text) else len(split.ids)
