"""A page of pictures behind a slider: one file that needs no other."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from io import RawIOBase
from string import Template
from typing import Any, BinaryIO, cast

import scales_cli

_FIGURES = "<!-- figures -->"  # where they stand in the template


class Page:
    """Writes `page.html` with its pictures, one after the other: none of them is in memory."""

    def __init__(self, stream: BinaryIO, title: str, details: str) -> None:
        template = resources.files("scales_cli.comparison").joinpath("page.html").read_text("utf-8")
        texts = {"title": title, "details": details, "version": f"scales {scales_cli.__version__}"}
        head, self._tail = template.split(_FIGURES)
        self._stream = stream
        self._write(Template(head).substitute({name: html.escape(text) for name, text in texts.items()}))

    @contextmanager
    def picture(self, width: int, height: int) -> Iterator[BinaryIO]:
        """A stream that takes a PNG of this size; `tell` has to follow."""
        self._write(f'<figure><img width="{width}" height="{height}" src="data:image/png;base64,')
        with Base64Writer(self._stream) as encoder:
            yield cast(BinaryIO, encoder)

    def tell(self, name: str, more: str, alt: str) -> None:
        """What stands below the last picture, and what it is for those who do not see it."""
        caption = f"<b>{html.escape(name)}</b> {html.escape(more)}"
        self._write(f'" alt="{html.escape(alt)}">\n<figcaption>{caption}</figcaption></figure>\n')

    def close(self) -> None:
        self._write(self._tail)

    def _write(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "backslashreplace"))  # names of files may be of bytes that are no text


class Base64Writer(RawIOBase):
    """A stream whose bytes reach another one as base64 (RFC 4648)."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._rest = b""  # less than the three bytes that make four characters

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        held = self._rest + bytes(data)
        whole = len(held) - len(held) % 3
        self._stream.write(base64.b64encode(held[:whole]))
        self._rest = held[whole:]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.write(base64.b64encode(self._rest))
        super().close()
