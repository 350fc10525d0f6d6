"""Answers of object storages, which are as long and as late as those like: no more is read than was asked for.

For libraries that reach a storage through aiohttp.
"""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp

from scales_cli.storage.web import PATIENCE

_MAX_LISTING_BYTES = 2**23  # of 1 000 objects, each of which may have 2 to 8 KB of metadata
_PIECE_BYTES = 2**16


class LongAnswerError(Exception):
    """More came than was asked for."""


class SlowAnswerError(TimeoutError):
    """What came, came too slowly."""


class BoundedAnswer(aiohttp.ClientResponse):
    """Has at most the bytes of the range that was asked for, or of a listing. Reading it raises the errors above."""

    async def start(self, connection: Any) -> Self:
        await super().start(connection)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.request_info.headers.get("Range", ""))
        limit = int(asked[2]) + 1 - int(asked[1]) if asked and self.ok else _MAX_LISTING_BYTES
        self.content = _BoundedContent(self.content, limit)  # type: ignore[assignment]
        return self


class _BoundedContent:
    """A stream that is read in pieces also where all of it is asked for."""

    def __init__(self, content: aiohttp.StreamReader, limit: int) -> None:
        self._content = content
        self._left = limit
        self._end = asyncio.get_running_loop().time() + _seconds(limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def read(self, n: int = -1) -> bytes:
        if n >= 0:
            return await self._piece(n)
        pieces = []
        while piece := await self._piece(_PIECE_BYTES):
            pieces.append(piece)
        return b"".join(pieces)

    async def _piece(self, n: int) -> bytes:
        async with _until(self._end):
            piece = await self._content.read(n)
        self._left -= len(piece)
        if self._left < 0:
            raise LongAnswerError
        return piece


@asynccontextmanager
async def answered(sent_bytes: int) -> AsyncIterator[None]:
    """Bounds the time in which a request is sent and an answer, or a listing, is there. Raises `SlowAnswerError`."""
    async with _until(asyncio.get_running_loop().time() + _seconds(sent_bytes + _MAX_LISTING_BYTES)):
        yield


@asynccontextmanager
async def _until(end: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(end) as clock:
            yield
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise SlowAnswerError(errno.ETIMEDOUT, "too slow") from error  # s3fs looks at the number of errors


def _seconds(size: int) -> float:
    return PATIENCE.start + size / PATIENCE.rate
