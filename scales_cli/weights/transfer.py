"""How a packed file gets from the web or another folder into the cache: whole, checked, or not at all.

What a server can do is bounded: the size it sends, its slowness, and where it redirects to.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin, urlsplit

from scales_cli.errors import WeightsError
from scales_cli.system.files import whole_file
from scales_cli.system.progress import Progress
from scales_cli.weights.cache import Cache, CachedModel
from scales_cli.weights.packed import MAX_FILE_BYTES, load_packed

if TYPE_CHECKING:
    import requests
    import urllib3

MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 20.0  # without a byte
GRACE_SECONDS = 30.0  # after which a server that is slower than MIN_RATE on average is left
MIN_RATE = 4096.0  # bytes per second
_CHUNK_BYTES = 2**16
_RETRIED = (429, 500, 502, 503, 504)


def fetch(
    cache: Cache,
    name: str,
    sha256: str,
    source: str | Path,
    *,
    size: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Puts the file of a URL or path into the cache, if its hash and content are right; its path there.

    Raises `WeightsError`, and leaves nothing behind, if they are not, or if it cannot be had.
    """
    target = cache.path(name, sha256)
    with suppress(WeightsError):  # of a file that is missing, or not what it should be
        CachedModel(name, sha256, target).check()
        return target
    with cache.writing():
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target, overwrite=True) as stream:
            _transfer(os.fspath(source), stream, sha256, size, progress or (lambda fraction: None))
            stream.flush()
            _check_content(stream.name, os.fspath(source))
    return target


def _transfer(source: str, stream: BinaryIO, sha256: str, size: int | None, progress: Progress) -> None:
    """Copies a source of a hash, and of a size if that is known."""
    digest = hashlib.sha256()
    received = 0
    with open_source(source) as (chunks, announced):
        expected = announced if size is None else size
        for chunk in chunks:
            received += len(chunk)
            if received > (MAX_FILE_BYTES if size is None else size):
                raise WeightsError(f"{source}: larger than it should be", "check the address")
            digest.update(chunk)
            stream.write(chunk)
            progress(min(received / expected, 1.0) if expected else 0.0)
    if expected is not None and received < expected:
        raise WeightsError(f"{source}: ended after {received} of {expected} bytes", "try again")
    if digest.hexdigest() != sha256:
        raise WeightsError(f"{source}: its SHA-256 is {digest.hexdigest()}, expected {sha256}", "check the address")


def _check_content(path: str, source: str) -> None:
    try:
        load_packed(Path(path))
    except WeightsError as error:
        raise WeightsError(error.message.replace(path, source), error.hint) from error


@contextmanager
def open_source(source: str) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """Pieces of a file of the web or of this machine, and its size if it is announced."""
    if "://" in source:
        with _open_url(source) as opened:
            yield opened
        return
    try:
        if not stat.S_ISREG(Path(source).stat().st_mode):  # a pipe would be waited for without end
            raise WeightsError(f"{source}: is not a file", "give a packed .safetensors file")
        stream = Path(source).open("rb")  # noqa: SIM115 (only the errors of opening are meant)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WeightsError(f"{source}: cannot be read: {reason}", "check the path") from error
    with stream:
        yield _pieces(stream), os.fstat(stream.fileno()).st_size


def check_url(url: str, previous: str | None = None) -> None:
    """Allows https, and http to this machine itself; a redirection keeps its scheme."""
    try:
        parts = urlsplit(url)
        local = is_loopback(parts.hostname or "")
        if parts.port == 0 or not parts.hostname:
            raise ValueError
    except ValueError as error:
        raise WeightsError(f"{url}: is not the address of a file", "give one that starts with https://") from error
    if parts.username is not None or parts.password is not None:
        raise WeightsError(f"an address at {parts.hostname} holds a password", "use ~/.netrc instead")
    if previous is not None and parts.scheme != urlsplit(previous).scheme:
        raise WeightsError(f"{previous}: redirects to {url}, another scheme", "check the address")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise WeightsError(f"{url}: is not fetched over {parts.scheme}", "give an address that starts with https://")


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _open_url(url: str) -> Iterator[tuple[Iterator[bytes], int | None]]:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    retries = urllib3.Retry(
        2, read=0, redirect=False, status_forcelist=_RETRIED, backoff_factor=0.3, raise_on_status=False
    )
    retries.respect_retry_after_header = False  # which may ask for hours
    check_url(url)
    try:
        with requests.Session() as session:
            session.trust_env = not is_loopback(urlsplit(url).hostname or "")  # no proxy reaches this machine's own
            session.verify = os.environ.get("SSL_CERT_FILE") or True
            session.mount("https://", HTTPAdapter(max_retries=retries))
            session.mount("http://", HTTPAdapter(max_retries=retries))
            with _answer(session, url) as response:
                length = response.headers.get("Content-Length", "")
                yield _received(url, response.raw), int(length) if re.fullmatch(r"\d{1,15}", length) else None
    except requests.exceptions.ProxyError as error:
        raise WeightsError(f"{url}: the proxy does not answer", "check HTTPS_PROXY") from error
    except requests.exceptions.SSLError as error:
        raise WeightsError(f"{url}: {_innermost(error)}", "SSL_CERT_FILE names certificates to trust") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise WeightsError(
            f"{url}: cannot be fetched: {_innermost(error)}", "check the connection, try again"
        ) from error
    except ValueError as error:  # of a redirection to what is no address
        raise WeightsError(f"{url}: {error}", "try again") from error
    except OSError as error:
        if error.errno is not None:  # of the file that is written
            raise
        raise WeightsError(f"{url}: {error}", "check SSL_CERT_FILE") from error


@contextmanager
def _answer(session: requests.Session, url: str) -> Iterator[requests.Response]:
    """The response of `url`, or of where it redirects to."""
    for _ in range(MAX_REDIRECTS + 1):
        headers = {"Accept-Encoding": "identity"}  # a compressed body could be of any size
        with session.get(url, stream=True, allow_redirects=False, timeout=TIMEOUT_SECONDS, headers=headers) as response:
            if not response.is_redirect:
                if response.status_code != HTTPStatus.OK:
                    code = response.status_code
                    raise WeightsError(
                        f"{url}: the server answers {code} {_phrase(code)}".rstrip(),
                        "check the address" if code < HTTPStatus.INTERNAL_SERVER_ERROR else "try again later",
                    )
                yield response
                return
            target = urljoin(url, response.headers["Location"])
            check_url(target, url)
            url = target
    raise WeightsError(f"{url}: redirects without end", "check the address")


def _received(url: str, body: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """A body as it arrives; raises `WeightsError` if that takes too long."""
    started, received = time.monotonic(), 0
    while chunk := body.read1(_CHUNK_BYTES, decode_content=False):
        received += len(chunk)
        seconds = time.monotonic() - started
        if seconds > GRACE_SECONDS and received < MIN_RATE * seconds:
            raise WeightsError(f"{url}: too slow, {received} bytes in {seconds:.0f} s", "try again later")
        yield chunk


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


def _innermost(error: BaseException) -> str:
    """What the system said, below the layers that wrap it."""
    seen = error
    while (inner := getattr(seen, "reason", None) or next(iter(seen.args), None)) and isinstance(inner, BaseException):
        seen = inner
    return getattr(seen, "strerror", None) or str(seen)
