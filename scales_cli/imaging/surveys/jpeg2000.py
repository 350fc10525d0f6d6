"""A survey of JPEG 2000: what tiles, precincts, code blocks and layers take, which need no bytes of the file."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from scales_cli.imaging.containers.boxes import MAX_BOXES, Box, read_boxes
from scales_cli.imaging.surveys.survey import MAX_PROFILE_BYTES, Survey, check_bytes, check_count

_SIZ, _COD, _COC, _SOT, _SOD = 0x51, 0x52, 0x53, 0x90, 0x93
_MAX_SEGMENTS = 2**17  # of all headers, those of 65 535 tiles included
_MAX_PACKETS = 2**24  # of all tiles: decoders look for each, whether it is there or not
_MAX_HEADER_BYTES = MAX_PROFILE_BYTES + 2**16

# What OpenJPEG allocates, measured.
_TILE_BYTES, _TILE_COMPONENT_BYTES, _PRECINCT_BYTES, _CODE_BLOCK_BYTES = 10_500, 1_200, 600, 500
_PASSED_BYTES = 2  # for each layer of each precinct, to know which packets were there


def survey_jpeg2000(stream: BinaryIO) -> Survey:
    stream.seek(0)
    codestream: Box | None = None
    if stream.read(4) == b"\xff\x4f\xff\x51":
        codestream = Box(b"jp2c", 0, stream.seek(0, os.SEEK_END))
    else:
        for count, box in enumerate(read_boxes(stream), 2):
            check_count(count, MAX_BOXES, "boxes")
            if box.kind == b"jp2h":
                check_bytes(box.end - box.start, _MAX_HEADER_BYTES, "header")
                check_count(sum(1 for _ in read_boxes(stream, box.start, box.end)) + 1, MAX_BOXES, "boxes")
            elif box.kind == b"jp2c":
                codestream = box
                break
    held = _Structure(stream, codestream).held_bytes if codestream is not None else 0
    return Survey(stream=stream, held_bytes=held)


class _Structure:
    """The tiles of a codestream, and how the finest of its headers cut them."""

    def __init__(self, stream: BinaryIO, codestream: Box) -> None:
        self._components, self._tile, self._tiles = 1, (1, 1), 1
        self._layers = 1
        self.held_bytes = 0
        for marker, data in _segments(stream, codestream):
            if marker == _SIZ and len(data) >= 36:
                right, bottom, left, top, *tile, tile_left, tile_top = struct.unpack_from(">8I", data, 2)
                self._components = int.from_bytes(data[34:36], "big")
                if not (left < right and top < bottom and all(tile)):
                    return
                across, down = -(-(right - tile_left) // tile[0]), -(-(bottom - tile_top) // tile[1])
                self._tiles = max(0, across) * max(0, down)
                self._tile = min(tile[0], right - left), min(tile[1], bottom - top)
                self.held_bytes = self._tiles * (_TILE_BYTES + _TILE_COMPONENT_BYTES * self._components)
            elif marker in (_COD, _COC):
                self._add(marker, data)

    def _add(self, marker: int, data: bytes) -> None:
        if marker == _COD:
            self._layers = int.from_bytes(data[2:4], "big")
            has_precincts, style = data[:1] > b"\0" and data[0] & 1, data[5:]
        else:
            skipped = 1 if self._components < 257 else 2
            has_precincts, style = data[skipped : skipped + 1] == b"\1", data[skipped + 1 :]
        if len(style) < 5:
            return
        levels, sizes = min(style[0], 32), style[5:]
        block = style[1] % 16 + 2, style[2] % 16 + 2
        held = most = packets = 0
        for level in range(levels + 1):
            size = sizes[level : level + 1]
            exponents = (size[0] & 15, size[0] >> 4) if has_precincts and size else (15, 15)
            shape = [max(1, -(-side >> (levels - level))) for side in self._tile]
            precincts = _parts(shape, exponents)
            bands, inside = (3, 1) if level else (1, 0)
            blocks = _parts(shape, [min(a, b - inside) for a, b in zip(block, exponents, strict=True)])
            held += bands * precincts * _PRECINCT_BYTES + (blocks + 3 * precincts) * _CODE_BLOCK_BYTES
            most = max(most, precincts)
            packets += precincts
        check_count(packets * self._layers * self._components * self._tiles, _MAX_PACKETS, "packets")
        held += _PASSED_BYTES * self._layers * (levels + 1) * most
        held *= self._components
        self.held_bytes = max(self.held_bytes, self._tiles * (_TILE_BYTES + _TILE_COMPONENT_BYTES) + held)


def _parts(shape: list[int], exponents: tuple[int, ...] | list[int]) -> int:
    across, down = (-(-side >> max(0, exponent)) for side, exponent in zip(shape, exponents, strict=True))
    return int(across * down)


def _segments(stream: BinaryIO, codestream: Box) -> Iterator[tuple[int, bytes]]:
    """The marker segments of all headers, without the data of tiles between them."""
    position, following = codestream.start + 2, codestream.end
    for count in range(1, _MAX_SEGMENTS + 2):
        check_count(count, _MAX_SEGMENTS, "marker segments")
        stream.seek(position)
        head = stream.read(4)
        if len(head) < 2 or head[0] != 0xFF or position >= codestream.end:
            return
        marker = head[1]
        if marker == _SOD:
            position = following
            continue
        if len(head) < 4 or not 0x4F < marker < 0xD9:
            return
        data = stream.read(max(0, int.from_bytes(head[2:], "big") - 2))
        if marker == _SOT and len(data) >= 8:
            length = int.from_bytes(data[2:6], "big")
            following = position + length if length else codestream.end
            if following <= position:
                return
        yield marker, data
        position += 2 + max(2, int.from_bytes(head[2:], "big"))
