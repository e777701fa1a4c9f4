"""The one thread that answers: completions of prompts, the likelihood of their tokens, and of given targets.

Prompts are read and continued exactly as ``study.evaluation`` asks its probes, a whole request at a time. So the
answers to a study's probes are, on a CPU, to the bit those that the study gets from the weights.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from cluster.serving.errors import RefusedError, busy
from cluster.serving.served_models import Served

if TYPE_CHECKING:  # torch comes with it
    from study.evaluation.answering.token_likelihoods import Token
    from study.models.resident import Resident

AT_ONCE = 64
"""Prompts that are decoded together, as ``Execution.evaluation_batch`` has it."""

MOST_TOLD = 500_000
"""Likelihoods in one answer: each takes a hundred bytes and more until it is sent."""


@dataclass(frozen=True)
class Text:
    """One answer.

    Attributes:
        new: the continuation's ids, with its end token where it ended.
        text: it decoded, without special tokens.
        tokens: with their likelihoods, where they were asked for: the prompt's first, where echoed.
        target: (nll in nats, rank from 1, tokens) of the target, where one was given.
    """

    prompt_tokens: int
    new: list[int]
    text: str
    ended: bool
    tokens: "list[Token]" = field(default_factory=list)
    target: tuple[float, int, int] | None = None


@dataclass(frozen=True)
class Question:
    """What is asked of a model, for all prompts of a request.

    Attributes:
        prompts: texts, or token ids.
        targets: a continuation for each prompt, with the blank before it; or none.
        top: how many likely tokens are told for each; None: no likelihoods at all.
        echo: whether the prompt's own tokens are told too.
    """

    prompts: list[str] | list[list[int]]
    targets: Sequence[str] | None
    max_tokens: int
    top: int | None = None
    echo: bool = False


_Asked: TypeAlias = "Question | Callable[[Resident], Question]"
"""A question, or what makes it with the model's tokenizer."""


class Answer(Future[list[Text]]):
    """What will be answered."""

    def __init__(self) -> None:
        super().__init__()
        self.given_up = threading.Event()

    def give_up(self) -> None:
        """Nobody waits for it any more: it is not begun, and where it is, the next forward pass ends it."""
        self.given_up.set()
        self.cancel()


class Answerer:
    """See the module's text.

    Args:
        waiting: requests that may wait; more are told to come later.
        threads: of a forward pass; with another number the last bit may differ.
    """

    def __init__(self, waiting: int, threads: int) -> None:
        self._waiting = waiting
        self._counting = threading.Lock()
        self._threads = threads
        self._loaded: str | None = None
        self._asked: queue.SimpleQueue[tuple[Answer, Served, _Asked]] = queue.SimpleQueue()
        self._open: set[Answer] = set()
        threading.Thread(target=self._run, name="answers", daemon=True).start()

    def ask(self, model: Served, question: "_Asked") -> Answer:
        """Puts a question into the queue.

        Args:
            question: or what makes it with the model's tokenizer.

        Raises:
            RefusedError: too many wait; in the answer: what does not fit the model.
        """
        with self._counting:
            if len(self._open) >= self._waiting:
                raise busy(f"{self._waiting} requests wait already")
            answer = Answer()
            self._open.add(answer)
        answer.add_done_callback(lambda _: self._closed(answer))
        self._asked.put((answer, model, question))
        return answer

    def end(self) -> None:
        """Gives up whatever is open."""
        with self._counting:
            left = list(self._open)
        for answer in left:
            answer.give_up()

    def _closed(self, answer: Answer) -> None:
        with self._counting:
            self._open.discard(answer)

    def _run(self) -> None:
        from study.models.hardware import use_threads
        from study.performing.residents import Residents

        use_threads(self._threads)
        residents = Residents()
        while True:
            answer, model, question = self._asked.get()
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                resident = residents.get(model.source)
                with _given_up(resident, answer):
                    answer.set_result(self._answer(resident, model, question))
            except BaseException as error:
                answer.set_exception(error)

    def _answer(self, resident: "Resident", model: Served, question: "_Asked") -> list[Text]:
        if self._loaded != model.snapshot:
            self._loaded = None
            try:
                model.load(resident)
            except FileNotFoundError:
                raise RefusedError(
                    404, "This model is not there any more.", "model_not_found", "model"
                ) from None
            self._loaded = model.snapshot
        return answered(resident, question if isinstance(question, Question) else question(resident))


@contextmanager
def _given_up(resident: "Resident", answer: Answer) -> Iterator[None]:
    """Within the block, no forward pass is begun for what nobody waits for."""

    def look(module: Any, inputs: Any) -> None:
        if answer.given_up.is_set():
            raise CancelledError

    hook = resident.model.register_forward_pre_hook(look)
    try:
        yield
    finally:
        hook.remove()


def answered(resident: "Resident", question: Question) -> list[Text]:
    """The answers, in the order of the prompts.

    Raises:
        RefusedError: a prompt that is empty, too long, or no tokens of this model.
    """
    from study.errors import DivergedError, PreflightError
    from study.evaluation.answering.generation import answer_ids
    from study.evaluation.answering.token_likelihoods import token_likelihoods

    try:
        prompts, targets = _ids(resident, question)
    except PreflightError as error:
        raise RefusedError(400, str(error), "invalid_prompt", "prompt") from None
    longest = max(
        len(prompt) + max(question.max_tokens, len(target))
        for prompt, target in zip(prompts, targets, strict=True)
    )
    if longest > resident.context:
        raise RefusedError(
            400,
            f"A prompt takes {longest} tokens with its answer, and the model's context is {resident.context}; send "
            "less, or lower max_tokens.",
            "context_length_exceeded",
            "prompt",
        )
    if question.top is not None:
        echoed = sum(map(len, prompts)) if question.echo else 0
        told = (echoed + question.max_tokens * len(prompts)) * (1 + question.top)
        if told > MOST_TOLD:
            raise RefusedError(
                400,
                f"The answer would hold up to {told:,} likelihoods, and one holds at most {MOST_TOLD:,}; send fewer "
                "prompts, or lower logprobs or max_tokens.",
                "answer_too_large",
                "logprobs",
            )
    given = targets if question.targets is not None else [[resident.pad_id]] * len(prompts)
    try:
        answers = answer_ids(resident, prompts, given, max(1, question.max_tokens), AT_ONCE)
    except DivergedError:
        raise RefusedError(409, "The model's likelihoods are not finite numbers.", "model_diverged") from None
    made = []
    for prompt, target, (new, nll, rank) in zip(prompts, targets, answers, strict=True):
        kept = new[: question.max_tokens]
        made.append(
            Text(
                prompt_tokens=len(prompt),
                new=kept,
                text=str(resident.tokenizer.decode(kept, skip_special_tokens=True)),
                ended=bool(kept) and kept[-1] in resident.end_ids,
                tokens=[]
                if question.top is None
                else token_likelihoods(
                    resident, prompt + kept, 0 if question.echo else len(prompt), question.top
                ),
                target=(nll, rank, len(target)) if question.targets is not None else None,
            )
        )
    return made


def _ids(resident: "Resident", question: Question) -> tuple[list[list[int]], list[list[int]]]:
    from study.models.token_ids import split_text

    embedding: Any = resident.model.get_input_embeddings()
    rows = int(embedding.weight.shape[0])
    prompts: list[list[int]] = []
    targets: list[list[int]] = []
    asked: Sequence[str | list[int]] = question.prompts
    for index, prompt in enumerate(asked):
        target = "" if question.targets is None else question.targets[index]
        if isinstance(prompt, str):
            split = split_text(resident.tokenizer, prompt, target)
            ids, rest = split.ids[: split.prompt], split.ids[split.prompt :]
        else:
            ids = list(prompt)
            rest = split_text(resident.tokenizer, "", target).ids if target else []
        if not ids or not all(0 <= each < rows for each in ids):
            raise RefusedError(
                400,
                f"prompt {index + 1}: expected at least one token, of 0 to {rows - 1}",
                "invalid_prompt",
                "prompt",
            )
        if question.targets is not None and not rest:
            raise RefusedError(400, f"targets: the {index + 1}. is empty", "invalid_value", "targets")
        prompts.append(ids)
        targets.append(rest)
    return prompts, targets
