"""Clients that get a judge's reply: from an endpoint with OpenAI's protocol, or from a model in this process."""

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from study.errors import PreflightError, SpecError
from study.evaluation.rating import REPLY_TOKENS

RETRIES = 5
TIMEOUT_SECONDS, CONNECT_SECONDS = 600, 10
"""Long, since a call that times out and is repeated is paid for twice."""


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
    """A model of a folder, in this process; greedy, with its chat template where it has one."""

    def __init__(self, folder: str) -> None:
        from study.models.pretrained import fingerprint
        from study.models.resident import Resident
        from study.models.structure import attentions, without_weights
        from study.planning.stages import Pretrained

        identity = fingerprint(folder)
        self.model = f"{Path(folder).name}@{identity[:12]}"
        source = Pretrained(folder, identity, "sdpa", "float32")
        if "sdpa" not in attentions(without_weights(source)):
            source = replace(source, attention="eager")
        self._resident = Resident(source)

    def reply(self, prompt: str) -> str:
        """See ``Judge``."""
        import torch

        from study.models.token_ids import chat_ids, split_text

        tokenizer, model = self._resident.tokenizer, self._resident.model
        generate: Any = model.generate
        query = (
            chat_ids(tokenizer, prompt)
            if tokenizer.chat_template
            else split_text(tokenizer, f"{prompt}\n", "").ids
        )
        room = self._resident.context - len(query)
        if room < 1:
            raise PreflightError(
                f"the judge {self.model} takes {self._resident.context} tokens, and a question has {len(query)}; name "
                "a judge with a longer context"
            )
        inputs = torch.tensor([query], device=self._resident.device)
        with torch.inference_mode():
            made = generate(
                input_ids=inputs,
                attention_mask=torch.ones_like(inputs),
                max_new_tokens=min(REPLY_TOKENS, room),
                do_sample=False,
                pad_token_id=self._resident.pad_id,
                eos_token_id=list(self._resident.end_ids) or None,
            )
        return str(tokenizer.decode(made[0, len(query) :], skip_special_tokens=True))
