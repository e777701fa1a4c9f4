"""Requests to a service through OpenAI's client, and what becomes of those that fail.

Reading, and asking a model, is repeated by the client itself: it heeds Retry-After, and tries again what failed with
408, 409, 429, 5xx or a broken connection. Creating is not, since the service may have done it before its answer was
lost: the caller looks first. The key is read from the environment when a client is made, and stays in it.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from study.errors import PreflightError, RelearnError
from study.evaluation.api_key import api_key
from study.performing.service.errors import ServiceRefusedError, ServiceSilentError

RETRIES = 8
TIMEOUT_SECONDS, CONNECT_SECONDS = 600, 10
LONGEST_PAUSE = 60.0
LATER_LOOKS = (2.0, 4.0, 8.0)
"""Seconds before the list is read again where nobody knows whether a job was created: it may lag behind."""


class Calls:
    """One service, one key.

    Args:
        key_header: where a service reads the key, beside ``Authorization``.

    Raises:
        PreflightError: the environment has no key, or one that no request can carry; the URL has no address.
    """

    def __init__(
        self, base_url: str, key_variable: str, retries: int = RETRIES, key_header: str | None = None
    ) -> None:
        key = api_key(key_variable)
        if key is None:
            raise PreflightError(
                f"the study asks {base_url} with a key: put it into the environment as {key_variable}"
            )
        from openai import OpenAI, Timeout

        self._url = base_url
        try:
            self._client = OpenAI(
                api_key=key,
                base_url=base_url,
                max_retries=retries,
                default_headers=None if key_header is None else {key_header: key},
                timeout=Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            )
            self._client.base_url.host.encode("idna")  # as a connection does it
        except Exception as error:  # each HTTP library below OpenAI's client has its own
            raise PreflightError(
                f"relearn.base_url={base_url}: no address can be read from it ({error}); give one such as https://HOST/v1"
            ) from None

    def get(self, path: str, **query: str | int) -> Any:
        """JSON; None where there is no such thing."""
        return self._asked(
            lambda: self._client.get(path, cast_to=object, options=_here(params=query)), absent=True
        )

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """JSON; repeated, so for what costs nothing to do twice."""
        return self._asked(lambda: self._client.post(path, cast_to=object, body=dict(body), options=_here()))

    def upload(self, path: str, name: str, content: bytes) -> Any:
        """JSON of the file. Uploaded twice, it is there twice, which costs nothing."""
        return self._asked(
            lambda: self._client.post(
                path,
                cast_to=object,
                body={"purpose": "fine-tune", "file_name": name, "file_type": "jsonl"}
                if path.endswith("/upload")
                else {"purpose": "fine-tune"},
                files=[("file", (name, content))],
                options=_here(headers={"Content-Type": "multipart/form-data"}),
            )
        )

    def create(self, path: str, body: Mapping[str, Any], look: Callable[[], Any]) -> Any:
        """Posts once what costs money; where the answer is lost, looks for what it did before it posts again.

        Args:
            look: gives what was created, or None.
        """
        from openai import APIConnectionError, APIStatusError

        pause = 1.0
        for _ in range(RETRIES):
            taken = True  # for all that is known
            try:
                return self._client.post(path, cast_to=object, body=dict(body), options=_here(max_retries=0))
            except APIStatusError as error:
                if error.status_code not in (408, 409, 429) and error.status_code < 500:
                    raise refused(error) from None
                pause = max(pause, _asked_to_wait(error.response.headers.get("retry-after")))
                last = f"status {error.status_code}"
                taken = error.status_code not in (409, 429)
            except APIConnectionError as error:
                last = type(error).__name__
            for wait in (pause, *(LATER_LOOKS if taken else ())):
                time.sleep(wait)
                found = look()
                if found is not None:
                    return found
            pause = min(2 * pause, LONGEST_PAUSE)
        raise ServiceSilentError(
            f"{self._url} did not create a job ({last}); what it may have begun is adopted later"
        )

    def once(self, path: str, body: Mapping[str, Any]) -> Any:
        """JSON of a request that must not be done twice; None where nobody knows whether it was done.

        Only what the service says it has not taken, with 429, is sent again.
        """
        from openai import APIConnectionError, APIStatusError

        pause = 1.0
        for _ in range(RETRIES):
            try:
                return self._client.post(path, cast_to=object, body=dict(body), options=_here(max_retries=0))
            except APIConnectionError:
                return None
            except APIStatusError as error:
                if error.status_code == 408 or error.status_code >= 500:
                    return None
                if error.status_code != 429:
                    raise refused(error) from None
                time.sleep(max(pause, _asked_to_wait(error.response.headers.get("retry-after"))))
                pause = min(2 * pause, LONGEST_PAUSE)
        raise ServiceSilentError(f"{self._url} answers with status 429")

    def close(self) -> None:
        """Gives connections back."""
        self._client.close()

    def _asked(self, call: Callable[[], Any], absent: bool = False) -> Any:
        from openai import APIConnectionError, APIStatusError, NotFoundError

        try:
            return call()
        except NotFoundError as error:
            if absent:
                return None
            raise refused(error) from None
        except APIConnectionError as error:
            raise ServiceSilentError(f"{self._url} does not answer ({type(error).__name__})") from None
        except APIStatusError as error:
            if error.status_code in (408, 409, 429) or error.status_code >= 500:
                raise ServiceSilentError(f"{self._url} answers with status {error.status_code}") from None
            raise refused(error) from None


def _here(**options: Any) -> Any:
    """Options of a request that follows no redirect: one would take the key to wherever it points."""
    return {"follow_redirects": False, **options}


def refused(error: Any) -> RelearnError:
    """A refusal in the service's own words; of the key, no result but something to mend."""
    body = error.body if isinstance(error.body, Mapping) else {}
    said = str(body.get("message") or body.get("detail") or error.message)
    for header in ("authorization", "x-api-key"):  # some services quote the key that they refuse
        if sent := error.request.headers.get(header, "").removeprefix("Bearer "):
            said = said.replace(sent, "[secret]")
    said = said[:500]
    if error.status_code in (301, 302, 303, 307, 308):
        return PreflightError(
            f"the service sends elsewhere with status {error.status_code}, to "
            f"{error.response.headers.get('location')}; the key goes nowhere else: give the address that answers as "
            "relearn.base_url"
        )
    if error.status_code in (401, 403):
        return PreflightError(f"the service refused the key with status {error.status_code}: {said}")
    return ServiceRefusedError(f"the service refused with status {error.status_code}: {said}")


def _asked_to_wait(given: str | None) -> float:
    try:
        return min(float(given or 0), LONGEST_PAUSE)
    except ValueError:  # a date
        return LONGEST_PAUSE
