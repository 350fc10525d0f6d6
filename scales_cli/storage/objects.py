"""What is asked of a storage, through fsspec or, on the web, by our own bounded transfers.

Storages find credentials by themselves. Whatever a library raises becomes an `OSError` of our own words (`refusals`).
"""

from __future__ import annotations

import datetime
import errno
import importlib.util
import io
import logging
import stat
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from scales_cli.errors import TransferError, UsageError
from scales_cli.storage.address import STORAGES, WEB, Address
from scales_cli.storage.offline import OFFLINE, is_offline
from scales_cli.storage.refusals import own_errors, refusal, shown
from scales_cli.storage.web import open_url
from scales_cli.system.files import using_temporary_folder

MAX_FILE_BYTES = 2 * 2**30
_BLOCK_BYTES = 2**20  # that are read at a time
_SILENT = logging.NullHandler()
_RETRIES = 2  # of s3fs, which has botocore ask five times each: more, and a silent server would take many minutes


@dataclass(frozen=True, slots=True)
class FileStatus:
    """As `os.stat_result`, of which a batch keeps one for each picture; what a storage does not tell is 0.

    Storages tell whole seconds, but also a tag of the content, which stands in the digits below.
    """

    st_mode: int
    st_size: int = 0
    st_mtime_ns: int = 0

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.st_mode)


def status_of(address: Address) -> FileStatus:
    if address.scheme in WEB:
        return FileStatus(stat.S_IFREG, st_mtime_ns=time.time_ns())  # as if it were new: that costs no request
    with own_errors():
        return _status(_storage(address).info(address.path))


def entries_of(folder: Address) -> Iterator[tuple[Address, FileStatus]]:
    """In the order of their names. A storage says more of each than is kept, which is let go one by one.

    A folder whose name is empty, as that in `photos//a.png`, is told of, though none can be listed.
    """
    with own_errors():
        found = _storage(folder).ls(folder.path, detail=True)
    return _entries(folder, sorted(found, key=lambda entry: str(entry["name"]), reverse=True))


def _entries(folder: Address, found: list[Mapping[str, Any]]) -> Iterator[tuple[Address, FileStatus]]:
    """Takes the last one first."""
    while found:
        entry = found.pop()
        below = Address(folder.scheme, _path(entry["name"]))
        if below.path != folder.path:  # as of the empty object that stands for a folder
            yield below, _status(entry)
        elif _is_nameless(folder, entry):
            yield Address(folder.scheme, f"{folder.path}/"), FileStatus(stat.S_IFDIR)


def _is_nameless(folder: Address, entry: Mapping[str, Any]) -> bool:
    """Whether what has a folder's own name is one below it without a name. gcsfs takes all slashes off."""
    return entry["type"] == "directory" and (str(entry["name"]).endswith("/") or folder.scheme == "gs")


def matches_of(base: Address, pattern: str) -> list[tuple[Address, FileStatus]]:
    """In the order of their names, by listings only."""
    with own_errors():
        found = _storage(base).glob(f"{base.path}/{pattern}", detail=True)
        return [(Address(base.scheme, _path(path)), _status(found.pop(path))) for path in sorted(found)]


@contextmanager
def reading(address: Address) -> Iterator[BinaryIO]:
    """Raises `OSError` if the file is too large, and while it is read."""
    if address.scheme in WEB:
        with _downloaded(address) as stream:
            yield stream
        return
    if address == address.bucket:
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    with own_errors():
        stream = _storage(address).open(address.path, "rb", block_size=_BLOCK_BYTES, cache_type="readahead")
    with stream:
        if (getattr(stream, "details", None) or {}).get("type") == "directory":
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if (stream.size or 0) > MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {MAX_FILE_BYTES} bytes")
        yield io.BufferedReader(_Raw(stream))


def put(address: Address, file: Path, *, overwrite: bool) -> None:
    """Raises `FileExistsError` if there is another object, which is not to be replaced.

    One with the same content is as good: another run may have put it, or this one, and the answer was lost.
    """
    if address.scheme in WEB:
        raise OSError(errno.EROFS, "the web is only read")
    for _ in range(2 if overwrite else 1):  # as another run may put its own right after
        try:
            with own_errors():
                _storage(address).put_file(str(file), address.path, mode="overwrite" if overwrite else "create")
        except FileExistsError:
            if not _holds(address, file):
                raise
            return
        try:
            if _is_there(address, file.stat().st_size):
                return
        except PermissionError:  # of who may only write
            return
    raise OSError(errno.EIO, "the storage says it has it, but has not")


def put_bytes(address: Address, data: bytes) -> None:
    with own_errors():
        _storage(address).pipe_file(address.path, data)


def remove(address: Address) -> None:
    """Raises no error if there is nothing."""
    with own_errors(), suppress(FileNotFoundError):
        _storage(address).rm_file(address.path)


def _is_there(address: Address, size: int) -> bool:
    try:
        return status_of(address).st_size == size
    except FileNotFoundError:
        return False


def _holds(address: Address, file: Path) -> bool:
    """Whether an object has the content of a file."""
    if status_of(address).st_size != file.stat().st_size:
        return False
    with reading(address) as there, file.open("rb") as here:
        while data := here.read(_BLOCK_BYTES):
            if there.read(len(data)) != data:
                return False
    return True


class _Raw(io.RawIOBase):
    """A stream of fsspec whose errors are our own."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._stream.seek(offset, whence))

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        with own_errors():
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _downloaded(address: Address) -> Iterator[BinaryIO]:
    _check_online(address)
    with ExitStack() as stack:
        with using_temporary_folder():
            stream = stack.enter_context(tempfile.TemporaryFile())
        try:
            with open_url(address.url, MAX_FILE_BYTES, plain=True) as (pieces, size):
                count = 0
                for piece in pieces:
                    count += len(piece)
                    if count > MAX_FILE_BYTES:
                        raise TransferError(f"it has more than {MAX_FILE_BYTES} bytes")
                    with using_temporary_folder():
                        stream.write(piece)
        except TransferError as error:
            raise refusal(errno.EIO, shown(error.message.removeprefix(f"{address.url}: ")), error.hint) from error
        if size is not None and count < size:
            raise OSError(errno.EIO, f"it ended after {count} of {size} bytes")
        with using_temporary_folder():
            stream.seek(0)
        yield stream


def _storage(address: Address) -> Any:
    """fsspec's file system of a scheme. Raises `UsageError` if that is not installed."""
    library, install = STORAGES[address.scheme]
    _check_online(address)
    if importlib.util.find_spec(library) is None:
        raise UsageError(f"{address.scheme}:// needs {library}", install)
    import fsspec

    for name in (library, "azure", "google"):  # that print what they do not get, beside the error
        logging.getLogger(name).addHandler(_SILENT)
    storage = fsspec.filesystem(address.scheme, use_listings_cache=False, **_bounds(address.scheme))  # as others write
    if address.scheme == "s3":
        storage.retries = _RETRIES
    return storage


def _bounds(scheme: str) -> dict[str, Any]:
    """Options by which a storage's library reads bounded answers only, beside those of the user's own settings."""
    import fsspec.config

    own = fsspec.config.conf.get(scheme, {})
    if scheme == "s3":
        from scales_cli.storage.s3 import BoundedSession

        return {"config_kwargs": {**own.get("config_kwargs", {}), "http_session_cls": BoundedSession}}
    if scheme == "gs":
        from scales_cli.storage.answers import BoundedAnswer

        return {"session_kwargs": {**own.get("session_kwargs", {}), "response_class": BoundedAnswer}}
    return {}  # adlfs knows none


def _check_online(address: Address) -> None:
    if is_offline() and address.scheme != "memory":
        raise UsageError(f"{address} cannot be opened offline", f"leave out --offline, and unset {OFFLINE}")


def _status(entry: Mapping[str, Any]) -> FileStatus:
    if entry["type"] == "directory":
        return FileStatus(stat.S_IFDIR)
    modified = next(
        (entry[name] for name in ("LastModified", "last_modified", "updated", "created") if entry.get(name)), 0
    )
    if isinstance(modified, str):
        modified = datetime.datetime.fromisoformat(modified)
    if isinstance(modified, datetime.datetime):
        modified = modified.timestamp()
    tag = next((entry[name] for name in ("ETag", "etag", "md5Hash") if entry.get(name)), "")
    nanoseconds = int(modified) * 10**9 + zlib.crc32(str(tag).encode()) % 10**9 if tag else int(modified * 1e9)
    return FileStatus(stat.S_IFREG, int(entry["size"] or 0), nanoseconds)


def _path(name: str) -> str:
    return name.strip("/")
