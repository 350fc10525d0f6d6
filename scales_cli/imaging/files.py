"""Reading and writing picture files."""

from __future__ import annotations

import io
import os
import stat
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scales_cli.errors import InputError, UnreadableError
from scales_cli.imaging import animation
from scales_cli.imaging.animation import Frame
from scales_cli.imaging.decoding import Header, decode_image, read_header
from scales_cli.imaging.formats import MAX_OUTPUT_PIXELS
from scales_cli.imaging.output_options import Metadata
from scales_cli.imaging.picture import Picture
from scales_cli.system.files import using_temporary_folder
from scales_cli.system.threads import interruptible

MAX_FILE_BYTES = 2 * 2**30
_CHUNK_BYTES = 2**20
_BUFFER_BYTES = 2**16  # in which most files have their header

Source = str | os.PathLike[str] | bytes | BinaryIO


def read_image(
    source: Source,
    *,
    max_pixels: int = MAX_OUTPUT_PIXELS,
    metadata: Metadata = Metadata.SAFE,
    salvage: bool = False,
) -> Picture:
    """Decodes a file, given by its path, its bytes or an open, seekable stream."""
    with _reading(source) as stream:
        return interruptible(lambda: decode_image(stream, max_pixels, metadata, salvage=salvage))


def read_frames(source: Source, *, max_pixels: int = MAX_OUTPUT_PIXELS) -> Iterator[Frame]:
    """Decodes an animation."""
    with _reading(source) as stream:
        frames = animation.read_frames(stream, max_pixels)
        while (frame := interruptible(lambda: next(frames, None))) is not None:
            yield frame


def probe_image(source: Source, *, max_pixels: int = MAX_OUTPUT_PIXELS) -> Header:
    """Reads a file's header only."""
    with _reading(source) as stream:
        return read_header(stream, max_pixels)


@contextmanager
def naming(name: str | os.PathLike[str]) -> Iterator[None]:
    """Puts a file's name before the message of an `InputError`."""
    try:
        yield
    except InputError as error:
        raise error.about(os.fspath(name)) from error


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A regular file, open for reading: anything else could block or never end."""
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError("is a folder", "give picture files, or it to `scales batch`")
        if not stat.S_ISREG(mode):
            raise InputError("is not a regular file", "pipe it into `scales upscale -`")
        stream = path.open("rb", _BUFFER_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "check its permissions" if isinstance(error, PermissionError) else "check the path"
        raise UnreadableError(f"cannot be read: {reason}", hint) from error
    with stream:
        yield stream


def spool(stream: BinaryIO) -> BinaryIO:
    """All of a stream, up to a limit, in a temporary file that is gone when nothing refers to it any more."""
    with using_temporary_folder(), tempfile.TemporaryFile() as original:
        descriptor = os.dup(original.fileno())
    file = os.fdopen(descriptor, "w+b", closefd=False)
    weakref.finalize(file, os.close, descriptor)
    size = 0
    with using_temporary_folder():
        while chunk := _read_chunk(stream):
            size += len(chunk)
            if size > MAX_FILE_BYTES:
                raise _too_large()
            file.write(chunk)
        file.flush()
    return file


def _read_chunk(stream: BinaryIO) -> bytes:
    try:
        return stream.read(_CHUNK_BYTES)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}", "check the file") from error


@contextmanager
def _reading(source: Source) -> Iterator[BinaryIO]:
    """A stream of an acceptable size, at its beginning; errors name the source if it has a name."""
    if isinstance(source, (str, os.PathLike)):
        with naming(source), opened(source) as stream:
            _check_size(stream)
            yield stream
    else:
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        _check_size(stream)
        yield stream


def _check_size(stream: BinaryIO) -> None:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if not size:
        raise InputError("the file is empty", "check how it was made")
    if size > MAX_FILE_BYTES:
        raise _too_large()


def _too_large() -> InputError:
    return InputError(f"the file has more than {MAX_FILE_BYTES} bytes", "use a smaller picture")
