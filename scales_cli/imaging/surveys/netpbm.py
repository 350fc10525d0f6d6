"""A survey of Netpbm: decoders, which read headers byte by byte, get a short one; plain pixels have few comments."""

from __future__ import annotations

import os
from typing import BinaryIO

from scales_cli.imaging.containers.excerpt import excerpt
from scales_cli.imaging.containers.netpbm import read_header
from scales_cli.imaging.surveys.survey import Survey, check_count

_LONG_HEADER_BYTES = 2**10
_MAX_COMMENTS = 1000  # each is taken out of a megabyte by copying it
_BUFFER_BYTES = 2**20


def survey_netpbm(stream: BinaryIO) -> Survey:
    header = read_header(stream)
    if header is None:
        return Survey(stream=stream)
    if header.magic in (b"P1", b"P2", b"P3"):
        _check_comments(stream, header.end)
    if header.end <= _LONG_HEADER_BYTES:
        return Survey(stream=stream)
    short = b"%s %s\n" % (header.magic, b" ".join(header.words))
    return Survey(stream=excerpt(stream, [short, (header.end, stream.seek(0, os.SEEK_END))]))


def _check_comments(stream: BinaryIO, start: int) -> None:
    stream.seek(start)
    count = 0
    while data := stream.read(_BUFFER_BYTES):
        count += data.count(b"#")
        check_count(count, _MAX_COMMENTS, "comments")
