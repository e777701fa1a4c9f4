"""Errors of three clients become two: storage that refuses, with what to do, and storage that does not answer.

s3fs, gcsfs and adlfs each raise their own kinds, some of them without an errno. They are told apart by the HTTP
status and the provider's code, which are found on the error or on what caused it.
"""

import contextlib
import errno
from collections.abc import Iterator
from typing import Any

from cluster.storage.disk_full import FULL
from cluster.storage.retry import StorageRefusedError, UnansweredError

CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of the machine",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, or a role of the machine",
    "az": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with a key, `az login`, or a role",
}
NO_CREDENTIALS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
    "TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "DefaultCredentialsError",
    "RefreshError", "CredentialUnavailableError", "ClientAuthenticationError",
}  # fmt: skip
"""Classes of botocore, google-auth and azure-identity, by name: a store of one kind must not import the others."""
BAD_CREDENTIALS = {
    "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken",
    "TokenRefreshRequired", "RequestTimeTooSkewed", "AuthenticationFailed", "InvalidAuthenticationInfo",
}  # fmt: skip
NO_REASON = "400"
"""The code that botocore gives an answer without a body: to HEAD, S3 answers so where credentials have expired."""
NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "InvalidResourceName"}
MISTAKES = {
    "ParamValidationError", "ConfigParseError", "ConfigNotFound", "NoRegionError", "UnknownRegionError",
    "InvalidRegionError", "InvalidConfigError", "InvalidRetryConfigurationError", "InvalidProxiesConfigError",
    "InvalidS3AddressingStyleError", "MissingDependencyException",
}  # fmt: skip
"""Classes of botocore for what it cannot even ask: a bucket's name, a region, its own settings."""
TRANSIENT = {"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"}
"""Codes of S3 with a status of 400 all the same."""
LONGEST_WAIT = 60.0
"""Seconds that a storage may ask to wait for; more is tried again before."""


def kind_of(url: str) -> str:
    """``s3``, ``gs`` or ``az``."""
    scheme = url.partition("://")[0]
    return {"gcs": "gs", "abfs": "az", "abfss": "az"}.get(scheme, scheme)


@contextlib.contextmanager
def errors_in_words(url: str, doing: str) -> Iterator[None]:
    """Turns what a client raises into one of the two kinds; FileNotFoundError and FileExistsError stay.

    Args:
        url: of the object or the store.
        doing: "read", "write", "list" or "delete".

    Raises:
        StorageRefusedError: credentials, no bucket, no right: waiting does not help.
        UnansweredError: it may answer at the next try.
    """
    try:
        yield
    except (StorageRefusedError, UnansweredError):
        raise
    except Exception as error:
        translated = _translated(error, url, doing)
        if translated is None:
            raise
        raise translated from error


def _translated(error: Exception, url: str, doing: str) -> Exception | None:
    status, code = _status_and_code(error)
    names = {type(each).__name__ for each in _chain(error)}
    words = " ".join(str(error).split())[:300]
    local = (
        isinstance(error, OSError) and status is None and error.errno in (*FULL, errno.EACCES, errno.EPERM)
    )
    if local or isinstance(error, (TypeError, AttributeError, KeyError, ImportError)):
        return None  # this machine's disk, or a bug
    if code in NO_BUCKET:
        return StorageRefusedError(
            f"{url}: there is no such bucket ({words}): make it first, or give another address with --store"
        )
    # adlfs misses an account with a plain ValueError.
    missing = names & NO_CREDENTIALS or "account_name" in words
    if missing or code in BAD_CREDENTIALS or code == NO_REASON or status == 401:
        return StorageRefusedError(
            f"{url}: the credentials are missing, wrong or expired ({words}); give valid ones on every node "
            f"({CREDENTIALS[kind_of(url)]}), then run the same command again; what was published stays"
        )
    if isinstance(error, (FileNotFoundError, FileExistsError)):
        return None
    if status == 403 or isinstance(error, PermissionError) or words.startswith("Forbidden"):
        return StorageRefusedError(
            f"{url}: these credentials may not {doing} there ({words}); a study needs the rights to list, read, "
            "write and delete objects under its --store; what was published stays"
        )
    mistaken = bool(names & MISTAKES) or isinstance(error, ValueError)
    if mistaken or (status in (400, 405, 501) and code not in TRANSIENT):
        return StorageRefusedError(f"{url}: the storage refuses to {doing} this ({words})")
    return UnansweredError(f"{type(error).__name__}: {words}", url, _wait(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status_and_code(error: Exception) -> tuple[int | None, str | None]:
    for each in _chain(error):
        response = getattr(each, "response", None)
        if isinstance(response, dict):  # botocore
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return status, response.get("Error", {}).get("Code")
        for name in ("status_code", "code", "status"):  # azure-core, gcsfs, aiohttp
            status = getattr(each, name, None)
            if isinstance(status, int):
                code = getattr(each, "error_code", None)
                return status, None if code is None else str(getattr(code, "value", code))
    return None, None


def _wait(error: Exception) -> float:
    """What the storage asks to wait for, in seconds (``Retry-After``); 0 where it says nothing."""
    for each in _chain(error):
        response: Any = getattr(each, "response", None)
        headers: Any = (
            response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            if isinstance(response, dict)
            else getattr(response or each, "headers", None)
        )
        for name in ("retry-after", "Retry-After"):
            with contextlib.suppress(TypeError, ValueError, AttributeError, KeyError):
                return min(LONGEST_WAIT, float(headers[name]))
    return 0.0
