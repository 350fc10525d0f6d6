"""Where a picture is read from: a file, an open stream, or an address elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scales_cli.errors import UnreadableError, hint_of
from scales_cli.imaging.decoding import Header
from scales_cli.imaging.files import naming, probe_image, spool
from scales_cli.storage.address import Address
from scales_cli.storage.objects import reading

Source = Path | Address | BinaryIO


def probe(source: Path | Address, max_pixels: int) -> Header:
    """The header of a picture; of one that is elsewhere, no more is brought here than it takes."""
    if isinstance(source, Path):
        return probe_image(source, max_pixels=max_pixels)
    with naming(source), _reading(source) as stream:
        return probe_image(stream, max_pixels=max_pixels)


@contextmanager
def fetched(source: Source) -> Iterator[Path | BinaryIO]:
    """The same as a file of this machine, for the time of the context."""
    if not isinstance(source, Address):
        yield source
        return
    with naming(source), _reading(source) as stream:
        file = spool(stream)
    with file:
        yield file


@contextmanager
def _reading(address: Address) -> Iterator[BinaryIO]:
    try:
        with reading(address) as stream:
            yield stream
    except OSError as error:
        raise UnreadableError(
            f"cannot be read: {error.strerror or error}",
            hint_of(error, "check the address, and what you may read there"),
        ) from error
