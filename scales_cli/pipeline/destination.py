"""Where a result goes: to a file, a stream or standard output, and only once it is complete."""

from __future__ import annotations

import errno
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scales_cli.errors import OutputError, OutputExistsError, hint_of
from scales_cli.storage.address import Address
from scales_cli.storage.locations import Location
from scales_cli.storage.objects import put
from scales_cli.system.files import new_folders, replacing, temporary_file, using_temporary_folder

_CHUNK_BYTES = 2**20


@contextmanager
def destination(
    target: Location | None, *, overwrite: bool, sink: BinaryIO | None = None, modified_ns: int | None = None
) -> Iterator[BinaryIO]:
    """A seekable stream whose content reaches the target once it is complete, or the sink, or else standard output.

    `modified_ns` is the modification time that a target is given; None leaves it to the system.
    """
    if isinstance(target, Address):
        with _put_after(target, overwrite=overwrite) as stream:
            yield stream
        return
    if target is not None:
        with new_folders() as make:
            make(target.parent)
            with replacing(target, overwrite=overwrite, modified_ns=modified_ns) as stream:
                yield stream
        return
    if sink is None and sys.stdout is None:
        raise OutputError("standard output is closed", "give a file to -o")
    with temporary_file() as stream:
        yield stream
        stream.seek(0)
        if sink is None:
            with _writing_to("standard output", "give a file to -o"):
                _copy(stream, sys.stdout.buffer)
                sys.stdout.buffer.flush()
        else:
            with _writing_to("the stream for the result"):
                _copy(stream, sink)


@contextmanager
def _put_after(target: Address, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A temporary file that is copied to an address at the end: storages show no object that is not complete."""
    with using_temporary_folder(), tempfile.TemporaryDirectory(prefix="scales-") as folder:
        file = Path(folder, f"result{target.suffix}")  # by whose extension storages know its type
        with file.open("w+b") as stream:
            yield stream
        try:
            put(target, file, overwrite=overwrite)
        except FileExistsError as error:
            raise OutputExistsError(target) from error
        except OSError as error:
            raise OutputError(
                f"{target}: cannot be written: {error.strerror or error}",
                hint_of(error, "check what you may write there"),
            ) from error


@contextmanager
def _writing_to(name: str, hint: str = "") -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"{name} cannot be written: {error.strerror or error}", hint) from error


def _copy(stream: BinaryIO, sink: BinaryIO) -> None:
    while chunk := stream.read(_CHUNK_BYTES):
        _write_all(sink, memoryview(chunk))


def _write_all(stream: BinaryIO, data: memoryview) -> None:
    """All of it, also if the stream is unbuffered (PYTHONUNBUFFERED=1) and takes only a part at a time.

    By None, such a stream that does not block says that it is full; others, that are no streams of Python's, nothing.
    """
    while data:
        written = stream.write(data)
        if written is None and isinstance(stream, io.RawIOBase):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        data = data[len(data) if written is None else written :]
