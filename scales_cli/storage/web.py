"""Files of the web, from servers that may do anything: what they send is bounded, and nothing of it is unpacked."""

from __future__ import annotations

import ipaddress
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from scales_cli.errors import TransferError
from scales_cli.storage.budget import Budget, Patience

if TYPE_CHECKING:
    import requests
    import urllib3

PATIENCE = Patience()
MAX_REDIRECTS = 5
CHUNK_BYTES = 2**16
_MAX_ADDRESS = 2**12  # characters
_LONGEST_REASON = 200
_BUSY = (429, 500, 502, 503, 504)
_PAUSES = (0.3, 0.6)  # seconds, before a busy server is asked again


@contextmanager
def open_url(
    url: str,
    max_bytes: int,
    patience: Patience = PATIENCE,
    headers: Mapping[str, str] | None = None,
    *,
    plain: bool = False,
) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """Pieces of a file of at most `max_bytes`, and its size if the server announces it.

    `headers` go to the server of `url`, not to where it redirects; `plain` allows http. Raises `TransferError`, also
    while it is read.
    """
    import requests
    import urllib3

    from scales_cli.storage.connection import BudgetSession

    check_url(url, plain=plain)
    try:
        with Budget(patience) as budget, BudgetSession(budget) as session:
            session.trust_env = not is_loopback(urlsplit(url).hostname or "")  # no proxy reaches this machine's own
            session.verify = os.environ.get("SSL_CERT_FILE") or True
            with _answer(session, url, headers or {}, budget, plain=plain) as response:
                size = _announced(response)
                if size is not None and size > max_bytes:
                    raise TransferError("larger than it should be", "check the address")
                budget.begin_file(max_bytes if size is None else size)
                yield _pieces(response.raw), size
    except TransferError as error:
        raise error.about(url) from error
    except requests.exceptions.ProxyError as error:
        refusal = re.fullmatch(r"Tunnel connection failed: (.+)", _innermost(error))
        said = "does not answer" if refusal is None else f"answers {refusal[1]}"
        variable = f"{urlsplit(url).scheme.upper()}_PROXY"
        raise TransferError(f"{url}: the proxy {said}", f"check {variable}") from error
    except requests.exceptions.SSLError as error:
        raise TransferError(f"{url}: {_innermost(error)}", "SSL_CERT_FILE names certificates to trust") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise TransferError(
            f"{url}: cannot be fetched: {_innermost(error)}", "check the connection, try again"
        ) from error
    except ValueError as error:  # of a redirection to what is no address
        raise TransferError(f"{url}: {error}", "try again") from error
    except OSError as error:
        if error.errno is not None:  # of the file that is written
            raise
        raise TransferError(f"{url}: {error}", "check SSL_CERT_FILE") from error


def check_url(url: str, previous: str | None = None, *, plain: bool = False) -> None:
    """Allows https, and http to this machine itself, or if it may be `plain`; no redirection gives up https."""
    try:
        parts = urlsplit(url)
        local = is_loopback(parts.hostname or "")
        if parts.port == 0 or not parts.hostname:
            raise ValueError
    except ValueError as error:
        raise TransferError(f"{url}: is not the address of a file", "give one that starts with https://") from error
    if parts.username is not None or parts.password is not None:
        raise TransferError(f"an address at {parts.hostname} holds a password", "use ~/.netrc instead")
    if previous is not None and parts.scheme not in ("https", urlsplit(previous).scheme):
        raise TransferError(f"{previous}: redirects to {url}, another scheme", "check the address")
    if parts.scheme != "https" and not (parts.scheme == "http" and (local or plain)):
        raise TransferError(f"{url}: is not fetched over {parts.scheme}", "give an address that starts with https://")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _answer(
    session: requests.Session, url: str, headers: Mapping[str, str], budget: Budget, *, plain: bool
) -> Iterator[requests.Response]:
    """The response of `url`, or of where it redirects to; nothing of other bodies is read."""
    origin = urlsplit(url).netloc
    for _ in range(MAX_REDIRECTS + 1):
        own = headers if urlsplit(url).netloc == origin else {}
        with _asked(session, url, own, budget) as response:
            if not response.is_redirect:
                _check(response, url)
                yield response
                return
            target = urljoin(url, response.headers["Location"])
            if len(target) > _MAX_ADDRESS:
                raise TransferError(f"{url}: redirects to an address that is too long", "check the address")
            check_url(target, url, plain=plain)
            url = target
    raise TransferError(f"{url}: redirects without end", "check the address")


@contextmanager
def _asked(
    session: requests.Session, url: str, headers: Mapping[str, str], budget: Budget
) -> Iterator[requests.Response]:
    """The response of a server, which is asked again while it is busy."""
    for pause in (*_PAUSES, None):
        with session.get(
            url,
            stream=True,
            allow_redirects=False,
            timeout=max(min(budget.patience.idle, budget.remaining), 0.001),
            headers={"Accept-Encoding": "identity", **headers},
        ) as response:
            if pause is None or pause >= budget.remaining or response.status_code not in _BUSY:
                yield response
                return
        time.sleep(pause)


def _check(response: requests.Response, url: str) -> None:
    """Raises `TransferError` for what is not a file as it is."""
    code = response.status_code
    if code != HTTPStatus.OK:
        raise TransferError(
            f"{url}: the server answers {code} {_phrase(code)}".rstrip(),
            "check the address" if code < HTTPStatus.INTERNAL_SERVER_ERROR else "try again later",
        )
    if (encoding := response.headers.get("Content-Encoding", "identity")) != "identity":
        raise TransferError(f"{url}: the server sends it compressed ({encoding[:20]}), unasked", "take another address")


def _announced(response: requests.Response) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if re.fullmatch(r"[0-9]{1,15}", length) else None


def _pieces(body: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    while chunk := body.read1(CHUNK_BYTES, decode_content=False):
        yield chunk


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def _innermost(error: BaseException) -> str:
    """What the system said, below the layers that wrap it."""
    from http.client import BadStatusLine, RemoteDisconnected

    seen = error
    while (inner := _inside(seen)) is not None:
        seen = inner
    if isinstance(seen, BadStatusLine) and not isinstance(seen, RemoteDisconnected):
        return "what answers there is no web server"  # rather than what it says, whatever that be
    return getattr(seen, "strerror", None) or str(seen)[:_LONGEST_REASON] or type(seen).__name__


def _inside(error: BaseException) -> BaseException | None:
    """The error that another is about."""
    parts = (getattr(error, "reason", None), *error.args)
    return next((part for part in parts if isinstance(part, BaseException)), None)
