"""Clients that get a judge's reply: from an endpoint with OpenAI's protocol, or from a model in this process."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from study.errors import PreflightError, SpecError
from study.evaluation.rating import REPLY_TOKENS

RETRIES = 5
TIMEOUT_SECONDS, CONNECT_SECONDS = 600, 10
"""Long, since a call that times out and is repeated is paid for twice."""
TRIED, TRIED_TOKENS = "How good is this answer, from 1 to 10?", 8
"""What the model of a folder is asked first, and how far it is compared with plain passes."""


class Judge(Protocol):
    """A source of replies. A new kind of judge is a class with these two."""

    model: str

    def reply(self, prompt: str) -> str:
        """The judge's reply to a prompt, whole.

        Raises:
            PreflightError: it cannot be reached, or refuses.
        """
        ...


class EndpointJudge:
    """Any server with ``/chat/completions``: OPENAI_BASE_URL and OPENAI_API_KEY, as its client reads them.

    The key stays in the client: no message, log or record of ours has it.

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

        self.model = model
        self._cap = calls
        self._sent = 0
        self._counting = threading.Lock()
        self._client = OpenAI(
            api_key=os.environ.get("OPENAI_API_KEY", "none"),
            max_retries=RETRIES,
            timeout=Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            http_client=DefaultHttpxClient(event_hooks={"request": [self._count]}),
        )

    def reply(self, prompt: str) -> str:
        """See ``Judge``; the client tries again, with growing pauses."""
        from openai import APIConnectionError, APIStatusError

        try:
            answer = self._client.chat.completions.create(
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
            raise PreflightError(
                f"the judge {self.model} refused with status {error.status_code}; its replies so far are kept: "
                "check model, key and limits, and run the same command again"
            ) from None
        content: object = answer.choices[0].message.content if answer.choices else None
        if not isinstance(content, str):
            raise PreflightError(
                f"the judge {self.model} replied without a text ({str(content)[:60]}); its replies so far are kept: "
                "check that the endpoint speaks OpenAI's protocol for chats, and run the same command again"
            )
        # Half of a surrogate pair, as a reply that was cut within an emoji ends, has no bytes in UTF-8.
        return content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

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
        with self._in_words("asking it"):
            query = self._query(prompt)
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
