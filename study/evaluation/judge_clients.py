"""Clients that get a judge's reply: from an endpoint with OpenAI's protocol, or from a model in this process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from study.errors import PreflightError, SpecError
from study.evaluation.api_key import api_key
from study.evaluation.rating import REPLY_TOKENS, UnratedError

RETRIES = 5
TIMEOUT_SECONDS, CONNECT_SECONDS = 600, 10
"""Long, since a call that times out and is repeated is paid for twice."""
OF_QUESTION = (400, 403, 413, 422)
"""The statuses by which servers refuse a single question: too long for the model, not put by its template, filtered."""
SERVER_ERROR, IN_A_ROW = 500, 3
"""Some servers answer so where a template fails; as many in a row, and it is the server."""
FEW_TOKENS = 512
"""A smaller count of the tokens read is no sign of a cut: some servers leave out those that they had read before."""
NO_KEY = "none"
"""The client wants one, whatever the server does."""
NO_TEXT = "its endpoint replied without a text"
TRIED, TRIED_TOKENS = "How good is this answer, from 1 to 10?", 8
"""What the model of a folder is asked first, and how far it is compared with plain passes."""


class Judge(Protocol):
    """A source of replies. A new kind of judge is a class with these two."""

    model: str

    def reply(self, prompt: str) -> str:
        """The judge's reply to a prompt, whole.

        Raises:
            UnratedError: it cannot take this prompt.
            PreflightError: it cannot be reached, or refuses whatever it is asked.
        """
        ...


class EndpointJudge:
    """Any server with ``/chat/completions``: OPENAI_BASE_URL and OPENAI_API_KEY, as its client reads them.

    The key stays in the client: no message, log or record of ours has it. A question that the server refuses, as too
    long for the model or by a filter of contents, has no rating. A server that cuts a long question itself, without a
    word, is noticed where it counts fewer tokens than the question has words.

    Args:
        calls: the most requests that are sent, those that the client repeats after a failure among them.
    """

    def __init__(self, model: str, calls: int) -> None:
        if "OPENAI_BASE_URL" not in os.environ and "OPENAI_API_KEY" not in os.environ:
            raise SpecError(
                "--metric judge needs an endpoint: set OPENAI_BASE_URL (for a server of your own) and "
                "OPENAI_API_KEY in the environment, or name a model folder with --judge FOLDER"
            )
        from openai import DefaultHttpxClient, OpenAI, Timeout

        self._key = api_key("OPENAI_API_KEY")
        self.model = model
        self._cap = calls
        self._sent = self._failed = 0
        self._counting = threading.Lock()
        self._client = OpenAI(
            api_key=self._key or NO_KEY,
            max_retries=RETRIES,
            timeout=Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            http_client=DefaultHttpxClient(event_hooks={"request": [self._count]}),
        )

    def reply(self, prompt: str) -> str:
        """See ``Judge``; the client tries again, with growing pauses."""
        from openai import APIConnectionError, APIError, APIStatusError

        try:
            answer: Any = self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": prompt}],
                temperature=0,
                max_tokens=REPLY_TOKENS,
            )
        except _CapReachedError:
            raise PreflightError(
                f"the cap of {self._cap:,} calls is used up, as some had to be repeated; the replies so far are "
                "kept: run the same command again for the rest, or raise --calls"
            ) from None
        except APIConnectionError as error:
            raise PreflightError(
                f"the judge {self.model} cannot be reached ({type(error).__name__}); its replies so far are "
                "kept: run the same command again when it answers"
            ) from None
        except APIStatusError as error:
            if self._of_question(error.status_code):
                raise UnratedError(
                    f"its endpoint refuses the question with status {error.status_code}",
                    self._without_key(error.message),
                ) from None
            raise PreflightError(
                f"the judge {self.model} refused with status {error.status_code}; its replies so far are kept: "
                "check model, key and limits, and run the same command again"
            ) from None
        except (APIError, ValueError) as error:  # what came is no JSON
            raise UnratedError(NO_TEXT, type(error).__name__) from None
        choice = (getattr(answer, "choices", None) or [None])[0]
        content: object = getattr(getattr(choice, "message", None), "content", None)
        if not isinstance(content, str):
            raise UnratedError(NO_TEXT, f"finish_reason {getattr(choice, 'finish_reason', None)}")
        with self._counting:
            self._failed = 0
        read = getattr(getattr(answer, "usage", None), "prompt_tokens", None)
        words = sum(any(map(str.isalpha, word)) for word in prompt.split())
        if isinstance(read, int) and FEW_TOKENS <= read < words:
            raise UnratedError(
                "its endpoint cuts the question",
                f"it counts {read:,} tokens where {words:,} words were sent; give it a longer context",
            )
        # Half of a surrogate pair, as a reply that was cut within an emoji ends, has no bytes in UTF-8.
        return content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _of_question(self, status: int) -> bool:
        """Whether a refusal is of one question, and not of whatever is asked."""
        with self._counting:
            self._failed += status == SERVER_ERROR
            return status in OF_QUESTION or (status == SERVER_ERROR and self._failed < IN_A_ROW)

    def _without_key(self, words: str) -> str:
        return words if self._key is None else words.replace(self._key, "(key)")

    def _count(self, request: object) -> None:
        """Called by the client before every request that it sends."""
        with self._counting:
            if self._sent >= self._cap:
                raise _CapReachedError
            self._sent += 1


class _CapReachedError(Exception):
    """As many requests were sent as are allowed."""


class FolderJudge:
    """A model of a folder, in this process; greedy, with its chat template where it has one.

    It is asked as the models of a study are. Of its generation settings only end tokens and stop strings count: beams,
    penalties, guidance, sampling and caches of other kinds would be another decoding than the documented one.

    Raises:
        PreflightError: it cannot be loaded, or does not continue one short message as its own plain passes do.
    """

    def __init__(self, folder: str) -> None:
        from study.models.config_json import read
        from study.models.pretrained import fingerprint, local_folder
        from study.models.resident import Resident
        from study.models.structure import attentions, without_weights
        from study.planning.stages import Pretrained

        identity = fingerprint(folder)
        self.model = f"{Path(folder).absolute().name}@{identity[:12]}"
        source = Pretrained(folder, identity, "sdpa", "float32")
        if "sdpa" not in attentions(without_weights(source)):
            source = replace(source, attention="eager")
        stops = (
            read(Path(local_folder(folder, identity)) / "generation_config.json").get("stop_strings") or []
        )
        self._stops = [str(each) for each in ([stops] if isinstance(stops, str) else stops) if each]
        with self._in_words("loading it"):
            self._resident = Resident(source)
        with self._in_words("trying it"):
            self._try()

    def reply(self, prompt: str) -> str:
        """See ``Judge``."""
        with _unrated("its tokenizer or chat template cannot put the question"):
            query = self._query(prompt)
        with _unrated("the question is longer than its context"):
            self._room(query)
        with _unrated("it fails on the question"):
            new = self._continued(query, REPLY_TOKENS)
            text = str(self._resident.tokenizer.decode(new, skip_special_tokens=True))
        ends = [text.index(stop) + len(stop) for stop in self._stops if stop in text]
        return text[: min(ends, default=len(text))]

    def _query(self, prompt: str) -> list[int]:
        from study.models.token_ids import chat_ids, split_text

        tokenizer = self._resident.tokenizer
        query = (
            chat_ids(tokenizer, prompt)
            if tokenizer.chat_template
            else split_text(tokenizer, f"{prompt}\n", "").ids
        )
        if not query:
            raise PreflightError("its tokenizer makes no token of a question")
        embedding: Any = self._resident.model.get_input_embeddings()
        if max(query) >= (rows := int(embedding.weight.shape[0])):
            token = tokenizer.convert_ids_to_tokens(max(query))
            raise PreflightError(
                f"a question has token {max(query)} ({token!r}), and the model knows {rows} tokens; take the tokenizer "
                "that belongs to it"
            )
        return query

    def _continued(self, query: list[int], most: int) -> list[int]:
        """The greedy continuation, up to an end token, or to where the model's places end."""
        from study.evaluation.answering.generation import answer_ids

        most = min(most, self._room(query))
        # The likelihood of a target is asked along with a continuation, and not used here.
        ((new, _, _),) = answer_ids(self._resident, [query], [query[-1:]], most, batch_size=1)
        return new

    def _room(self, query: list[int]) -> int:
        """How many tokens fit behind a question."""
        from study.models.tokenizer import longest_alike

        places = self._resident.context
        border = longest_alike(self._resident.source)
        if border is not None and len(query) < border:
            places = min(places, border)
        if len(query) >= places:
            raise PreflightError(
                f"it takes {places} tokens, and a question has {len(query)}; name a judge with a longer context"
            )
        return places - len(query)

    def _try(self) -> None:
        """Whether a prediction depends on earlier words alone, and the continuation is that of plain passes."""
        from study.evaluation.answering.plain_pass import TOLERANCE, apart, less_likely, plain_logits

        query = self._query(TRIED)
        self._room(query)
        half = len(query) // 2
        whole, beginning = plain_logits(self._resident, query), plain_logits(self._resident, query[:half])
        if bool(whole.isnan().any()):
            raise PreflightError("its likelihoods are not finite; copy it again, or name another judge")
        if apart(whole[:half], beginning) > TOLERANCE["float32"]:
            raise PreflightError(
                "what it predicts after a word depends on the words that follow, so it does not continue texts (an "
                "encoder); name a causal language model"
            )
        if (wrong := less_likely(self._resident, query, self._continued(query, TRIED_TOKENS))) is not None:
            raise PreflightError(
                f"it continues a text with token {wrong[0]}, and in a plain pass with {wrong[1]}; name another judge"
            )

    @contextmanager
    def _in_words(self, what: str) -> Iterator[None]:
        """Whatever goes wrong inside is a reason to refuse: each architecture raises errors of its own."""
        try:
            yield
        except PreflightError as error:
            raise PreflightError(f"the judge {self.model}: {error}") from error
        except Exception as error:
            words = (str(error).strip().splitlines() or [""])[0]
            raise PreflightError(
                f"the judge {self.model}: {what} fails ({type(error).__name__}: {words}); name another judge"
            ) from error


@contextmanager
def _unrated(cause: str) -> Iterator[None]:
    """Whatever goes wrong inside is of this one question: the judge continued another one as it was tried."""
    try:
        yield
    except Exception as error:  # each tokenizer, template and architecture raises errors of its own
        words = str(error) if isinstance(error, PreflightError) else f"{type(error).__name__}: {error}"
        raise UnratedError(cause, words) from error
