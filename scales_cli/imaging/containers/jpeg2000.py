"""JPEG 2000 (ISO/IEC 15444-1): what the boxes around a codestream, and its SIZ marker, say of its components."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scales_cli.errors import InputError
from scales_cli.imaging.containers.boxes import Box, read_box, read_boxes

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
_SIZ = b"\xff\x4f\xff\x51"
_MAX_COMPONENTS = 16
_MAX_DEPTH = 16
_MAX_PROFILE_BYTES = 2**24


class Space(IntEnum):
    """Color spaces by the numbers that a colr box has for them; the others are not read."""

    WHITE_IS_ZERO = 0
    CMYK = 12
    BLACK_IS_ZERO = 15
    SRGB = 16
    GREY = 17
    SYCC = 18
    ROMM = 21


_OTHER_SPACES = {
    1: "YCbCr", 3: "YCbCr", 4: "YCbCr", 9: "PhotoYCC", 11: "CMY", 13: "YCCK", 14: "CIE Lab", 19: "CIE Jab",
    20: "e-sRGB", 22: "YPbPr", 23: "YPbPr", 24: "e-sYCC",
}  # fmt: skip


@dataclass(frozen=True)
class Component:
    """A plane of samples of `depth` bits, one for each `step` (across, down) of the picture."""

    depth: int
    is_signed: bool
    step: tuple[int, int]


@dataclass(frozen=True)
class Palette:
    """Colors [entries, columns], uint16, of so many bits in each column."""

    colors: NDArray[np.uint16]
    depths: tuple[int, ...]


@dataclass(frozen=True)
class Jpeg2000:
    """A codestream, and how its components become channels.

    `channels` names components, or columns of the palette if there is one: those of the colors in their order, then
    alpha, if `has_alpha`. `stated` is the color space by its number, None if a profile, code points (`cicp`: primaries,
    transfer, matrix, whether the range is full) or nothing says it, or what is said `is_unknown`.
    """

    codestream: Box
    codestreams: int
    size: tuple[int, int]
    components: tuple[Component, ...]
    stated: Space | None = None
    profile: bytes | None = None
    cicp: tuple[int, int, int, int] | None = None
    is_unknown: bool = False
    palette: Palette | None = None
    channels: tuple[int, ...] = ()
    has_alpha: bool = False
    is_premultiplied: bool = False

    @property
    def colors(self) -> int:
        """The number of channels but alpha."""
        return len(self.channels) - self.has_alpha

    @property
    def space(self) -> Space:
        """The color space that is stated, or that of the profile, or of so many channels."""
        if self.stated is not None:
            return self.stated
        if self.profile is not None and self.profile[16:20] == b"CMYK":
            return Space.CMYK
        return Space.GREY if self.colors == 1 else Space.SRGB

    @property
    def is_subsampled(self) -> bool:
        return any(component.step != (1, 1) for component in self.components)

    @property
    def depth(self) -> int:
        """The most bits that a component has."""
        return max(component.depth for component in self.components)

    @property
    def channel_depths(self) -> tuple[int, ...]:
        """The bits of each channel, of the palette's columns if there is one."""
        depths = self.palette.depths if self.palette else tuple(component.depth for component in self.components)
        return tuple(depths[channel] for channel in self.channels)


def read_jpeg2000(stream: BinaryIO) -> Jpeg2000:
    """Reads a file's boxes, or a bare codestream; raises `InputError` for damage and for what is not supported."""
    stream.seek(0)
    if stream.read(len(SIGNATURE)) != SIGNATURE:
        file = _of_codestream(stream, Box(b"jp2c", 0, stream.seek(0, os.SEEK_END)))
    else:
        file = _of_boxes(stream)
    _check_support(file)
    return file


def _of_boxes(stream: BinaryIO) -> Jpeg2000:
    boxes = list(read_boxes(stream))
    codestreams = [box for box in boxes if box.kind == b"jp2c"]
    header = next((box for box in boxes if box.kind == b"jp2h"), None)
    if header is None or not codestreams:
        raise _damage()
    return _of_header(stream, header, _of_codestream(stream, codestreams[0]), len(codestreams))


def _of_codestream(stream: BinaryIO, codestream: Box) -> Jpeg2000:
    head = read_box(stream, codestream, 42 + 3 * _MAX_COMPONENTS)
    if len(head) < 42 or not head.startswith(_SIZ):
        raise _damage()
    right, bottom, left, top = struct.unpack_from(">4I", head, 8)
    count = int.from_bytes(head[40:42], "big")
    if not 0 < count <= _MAX_COMPONENTS or len(head) < 42 + 3 * count:
        raise _refusal(f"{count} components")
    components = tuple(
        Component((depth & 0x7F) + 1, bool(depth & 0x80), (across, down))
        for depth, across, down in struct.iter_unpack("BBB", head[42 : 42 + 3 * count])
    )
    return Jpeg2000(
        codestream, 1, (right - left, bottom - top), components,
        channels=tuple(range(count)), has_alpha=count in (2, 4),
    )  # fmt: skip


def _of_header(stream: BinaryIO, header: Box, bare: Jpeg2000, codestreams: int) -> Jpeg2000:
    said, palette, mapping, definitions = _Said(), None, b"", b""  # the first is by the first box that is understood
    for box in read_boxes(stream, header.start, header.end):
        if box.kind == b"colr" and (said == _Said() or said.is_unknown):
            said = _read_color(read_box(stream, box, _MAX_PROFILE_BYTES))
        elif box.kind == b"pclr":
            palette = _read_palette(read_box(stream, box))
        elif box.kind == b"cmap":
            mapping = read_box(stream, box)
        elif box.kind == b"cdef":
            definitions = read_box(stream, box)
    count = len(bare.components)
    if palette is not None:
        channels = list(struct.iter_unpack(">HBB", mapping[: len(mapping) // 4 * 4]))
        if not channels or any(channel[:2] != (0, 1) or channel[2] >= len(palette.depths) for channel in channels):
            raise _refusal("a palette beside other components")
        if count != 1:
            raise _refusal("a palette beside other components")
        sources = [column for *_, column in channels]
    else:
        sources = list(range(count))
    order, has_alpha, is_premultiplied = _read_definitions(definitions, len(sources), said.space)
    return Jpeg2000(
        bare.codestream, codestreams, bare.size, bare.components, *said, palette,
        tuple(sources[index] for index in order), has_alpha, is_premultiplied,
    )  # fmt: skip


class _Said(NamedTuple):
    """What a box says of colors, as `Jpeg2000` has it."""

    space: Space | None = None
    profile: bytes | None = None
    cicp: tuple[int, int, int, int] | None = None
    is_unknown: bool = False


def _read_color(content: bytes) -> _Said:
    method = content[:1]
    if method == b"\1" and len(content) >= 7:
        number = int.from_bytes(content[3:7], "big")
        if number in _OTHER_SPACES:
            raise _refusal(f"colours in {_OTHER_SPACES[number]}")
        if number in list(Space):
            return _Said(Space(number))
    if method in (b"\2", b"\3"):
        return _Said(profile=content[3:])
    if method == b"\5" and len(content) >= 10:
        primaries, transfer, matrix, is_full = struct.unpack_from(">3HB", content, 3)
        return _Said(cicp=(primaries, transfer, matrix, is_full >> 7))
    return _Said(is_unknown=bool(content))


def _read_palette(content: bytes) -> Palette:
    entries, columns = struct.unpack_from(">HB", content) if len(content) > 3 else (0, 0)
    depths = tuple((depth & 0x7F) + 1 for depth in content[3 : 3 + columns])
    if not 0 < entries <= 1024 or not depths or max(depths) > 16 or any(d & 0x80 for d in content[3 : 3 + columns]):
        raise _refusal("a palette of such colours")
    row = np.dtype([(str(index), "u1" if depth <= 8 else ">u2") for index, depth in enumerate(depths)])
    if len(content) < 3 + columns + entries * row.itemsize:
        raise _damage()
    table = np.frombuffer(content, row, entries, 3 + columns)
    return Palette(np.stack([table[name].astype(np.uint16) for name in table.dtype.names or ()], axis=1), depths)


def _read_definitions(content: bytes, count: int, space: Space | None) -> tuple[list[int], bool, bool]:
    """The order of channels, colors first, whether the last one is alpha, and whether colors are multiplied by it."""
    entries = content[2 : 2 + 6 * int.from_bytes(content[:2], "big")]
    definitions = {channel: (kind, place) for channel, kind, place in struct.iter_unpack(">3H", entries)}
    if not definitions:
        has_alpha = count in (2, 4) and space is not Space.CMYK
        return list(range(count)), has_alpha, False
    if sorted(definitions) != list(range(count)):
        raise _refusal("channels of unknown meaning")
    colors = sorted((place, channel) for channel, (kind, place) in definitions.items() if kind == 0)
    if [place for place, _ in colors] != list(range(1, len(colors) + 1)):
        raise _refusal("channels of unknown meaning")
    alphas = [(kind, channel) for channel, (kind, place) in definitions.items() if kind in (1, 2) and place == 0]
    order = [channel for _, channel in colors] + [channel for _, channel in alphas[:1]]
    if len(order) < count:
        raise _refusal("channels beside colours and alpha")
    return order, bool(alphas), bool(alphas) and alphas[0][0] == 2


def _check_support(file: Jpeg2000) -> None:
    deep, several = file.depth > 8, len(file.components) > 1
    if file.depth > _MAX_DEPTH:
        raise _refusal("more than 16 bits")
    if deep and len(file.components) == 2:
        raise _refusal("grey with alpha of more than 8 bits")
    if deep and several and any(component.is_signed for component in file.components):
        raise _refusal("signed colours of more than 8 bits")
    if deep and any(component.depth <= 8 for component in file.components):
        raise _refusal("components of more and of fewer than 9 bits")
    if deep and file.space is Space.CMYK:
        raise _refusal("CMYK of more than 8 bits")
    if file.is_subsampled and (deep or len(file.channels) != 3 or file.stated not in (None, Space.SYCC)):
        raise _refusal("components of several sizes")
    expected = {Space.CMYK: 4, Space.SRGB: 3, Space.SYCC: 3, Space.ROMM: 3}.get(file.space, 1)
    if file.colors != expected:
        raise _refusal(f"{file.colors} colours in a space of {expected}")


def _damage() -> InputError:
    return InputError("the picture is truncated or damaged", "get the file again")


def _refusal(what: str) -> InputError:
    return InputError(f"JPEG 2000 with {what} is not supported", "convert it to PNG or TIFF first")
