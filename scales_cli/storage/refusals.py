"""What storages refuse, in words of our own: libraries raise as many classes as there are, and say what servers say."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from scales_cli.errors import UsageError

_ENDPOINT = "check the region and the endpoint, as of AWS_DEFAULT_REGION and AWS_ENDPOINT_URL"
_LATER = "try again later"
_CREDENTIALS = "check the credentials that the storage's library finds, as of AWS_PROFILE"

# What helps, by what a storage calls the error.
_HINTS = {
    "ExpiredToken": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "RequestTimeTooSkewed": "set the clock of this machine",
    "KeyTooLongError": "choose a shorter name",
}

# What is said of errors that come of no whole answer, and what helps, by the names of their classes.
_CLASSES = {
    "RecursionError": ("the storage redirects without end", _ENDPOINT),
    "TooManyRedirects": ("the storage redirects without end", _ENDPOINT),
    "NoCredentialsError": ("there are no credentials", _CREDENTIALS),
    "DefaultCredentialsError": ("there are no credentials", _CREDENTIALS),
    "PartialCredentialsError": ("the credentials are not complete", _CREDENTIALS),
    "ConnectTimeoutError": ("the storage does not answer", _LATER),
    "ReadTimeoutError": ("the storage does not answer", _LATER),
    "ClientConnectorDNSError": ("the storage cannot be reached", "check the network and the endpoint"),
    "EndpointConnectionError": ("the storage cannot be reached", "check the network and the endpoint"),
    "ClientConnectorError": ("the storage cannot be reached", "check the network and the endpoint"),
    "ConnectionClosedError": ("the storage breaks off in the middle of its answer", _LATER),
    "ClientPayloadError": ("the storage breaks off in the middle of its answer", _LATER),
    "IncompleteRead": ("the storage breaks off in the middle of its answer", _LATER),
    "LongAnswerError": ("the storage sends more than it was asked for", "ask whose storage it is"),
    "SlowAnswerError": ("the storage is too slow", _LATER),
    "ResponseParserError": ("the storage does not answer as one", _ENDPOINT),
}


@contextmanager
def own_errors() -> Iterator[None]:
    """Makes an `OSError` of whatever is raised inside: one line without an address, `hint_of` which is what helps."""
    try:
        yield
    except UsageError:
        raise
    except FileExistsError as error:
        raise FileExistsError(errno.EEXIST, "exists") from error
    except Exception as error:
        raise _own(error) from error


def shown(message: str) -> str:
    """One line, in which addresses have no queries."""
    return without_queries(" ".join(message.split()))[:200]


def without_queries(text: str) -> str:
    """What stands behind the ? of an address may be a key."""
    return re.sub(r"\?[^\s'\"]*", "?...", text)


def _own(error: Exception) -> OSError:
    for part in _chain(error):
        if (known := _CLASSES.get(type(part).__name__)) is not None:
            return refusal(errno.EIO, *known)
    status, name = _answer(error)
    if isinstance(error, FileNotFoundError) or status == HTTPStatus.NOT_FOUND:
        return FileNotFoundError(errno.ENOENT, "there is no such file or bucket")
    if not status:
        return _without_answer(error)
    called = f"{status} {name}".strip()
    hint = _HINTS.get(name, "")
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return refusal(errno.EACCES, f"the storage denies access{f' ({name})' if hint else ''}", hint)
        case HTTPStatus.METHOD_NOT_ALLOWED | HTTPStatus.NOT_IMPLEMENTED:
            return refusal(errno.EIO, f"the storage cannot do that ({called})", _ENDPOINT)
        case HTTPStatus.CONFLICT:
            return refusal(errno.EIO, f"the storage is at work on the same ({called})", _LATER)
        case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return refusal(errno.EIO, "the file is not as large as the storage says", _LATER)
    if status == HTTPStatus.TOO_MANY_REQUESTS or status // 100 in (2, 5):  # an error may come as a success
        return refusal(errno.EIO, f"the storage is busy or broken ({called})", _LATER)
    verb = {3: "redirects elsewhere", 4: "refuses the request"}.get(status // 100, "does not answer as one")
    return refusal(errno.EIO, f"the storage {verb} ({called})", hint or _ENDPOINT)


def _without_answer(error: Exception) -> OSError:
    """Of an error that is no answer of a server, or one by which that is not known."""
    if isinstance(error, PermissionError):
        return PermissionError(errno.EACCES, "the storage denies access")
    if isinstance(error, TimeoutError):
        return refusal(errno.ETIMEDOUT, "the storage does not answer", _LATER)
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if "account_name" in message:  # as Azure's says
        return refusal(
            errno.EIO, "no account is named", "set AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_CONNECTION_STRING"
        )
    if "Invalid bucket name" in message:
        return OSError(errno.EIO, "no bucket can have that name")
    return OSError(errno.EIO, shown(message))


def refusal(number: int, message: str, hint: str) -> OSError:
    """An error whose `hint_of` is `hint`, if there is one."""
    error = OSError(number, message)
    if hint:
        error.add_note(hint)
    return error


def _answer(error: Exception) -> tuple[int, str]:
    """The status of what a server has answered, and what it calls that; 0 if there is none."""
    for part in _chain(error):
        response = getattr(part, "response", None)
        if isinstance(response, dict) and "ResponseMetadata" in response:  # of botocore
            status = response["ResponseMetadata"].get("HTTPStatusCode", 0)
            name = str(response.get("Error", {}).get("Code", ""))
        else:
            status = getattr(part, "status_code", None) or getattr(part, "code", None)  # of Azure, of Google
            name = str(getattr(part, "error_code", None) or "")
        if (isinstance(status, int) and status >= HTTPStatus.MULTIPLE_CHOICES) or (name and isinstance(status, int)):
            return status, name if re.fullmatch(r"[A-Za-z]{1,40}", name) else _phrase(status)
    return 0, ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it comes from."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, BaseException) and id(part) not in seen:
            seen.add(id(part))
            yield part
            waiting += [part.__cause__, part.__context__, getattr(part, "kwargs", {}).get("error")]
