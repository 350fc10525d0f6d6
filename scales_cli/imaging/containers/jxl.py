"""JPEG XL (ISO/IEC 18181-1): what the first bits of a codestream say, and the boxes around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from scales_cli.errors import InputError
from scales_cli.imaging.containers.boxes import read_box, read_boxes

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_RATIOS = ((1, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # of width to height
_HEADER_BYTES = 2**12
_MAX_BOX_BYTES = 2**22  # of EXIF or XMP
_ALPHA, _BLACK = 0, 4  # kinds of extra channels


@dataclass(frozen=True)
class Jxl:
    """`size` is that of the stored picture, which is turned by `orientation`, as EXIF's, when it is decoded.

    `is_jpeg` says that a JPEG can be made of the file again, bit by bit, `has_packed` that it has compressed records.
    """

    size: tuple[int, int]
    orientation: int = 1
    depth: int = 8
    is_float: bool = False
    is_grey: bool = False
    has_alpha: bool = False
    is_premultiplied: bool = False
    has_black: bool = False
    is_animated: bool = False
    is_jpeg: bool = False
    has_packed: bool = False


def read_jxl(stream: BinaryIO) -> Jxl:
    """Raises `InputError` if the file ends before its header does."""
    start, kinds = _codestream(stream)
    if not start.startswith(CODESTREAM):
        raise InputError("the picture is truncated or damaged", "get the file again")
    return dataclasses.replace(_read_header(_Bits(start[2:])), is_jpeg=b"jbrd" in kinds, has_packed=b"brob" in kinds)


def read_records(stream: BinaryIO) -> dict[str, bytes]:
    """EXIF, from its byte order on, and XMP, if boxes have them that are not compressed."""
    records: dict[str, bytes] = {}
    stream.seek(0)
    if stream.read(12) != CONTAINER:
        return records
    for box in read_boxes(stream):
        if box.end - box.start > _MAX_BOX_BYTES:
            continue
        if box.kind == b"Exif":
            content = read_box(stream, box, _MAX_BOX_BYTES)
            records["exif"] = b"Exif\0\0" + content[4 + int.from_bytes(content[:4], "big") :]
        elif box.kind == b"xml ":
            records["xmp"] = read_box(stream, box, _MAX_BOX_BYTES)
    return records


def _codestream(stream: BinaryIO) -> tuple[bytes, set[bytes]]:
    """How the codestream begins, and the kinds of boxes around it: jbrd has what it lacks to a JPEG."""
    stream.seek(0)
    start = stream.read(_HEADER_BYTES)
    if not start.startswith(CONTAINER):
        return start, set()
    boxes = list(read_boxes(stream))
    first = next((box for box in boxes if box.kind in (b"jxlc", b"jxlp")), None)
    if first is None:
        return b"", set()
    number = 4 if first.kind == b"jxlp" else 0  # which stands before each part
    return read_box(stream, first, _HEADER_BYTES)[number:], {box.kind for box in boxes}


class _Bits:
    """A bit stream, the least significant bits first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def __call__(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise InputError("the picture is truncated or damaged", "get the file again")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def number(self, *kinds: tuple[int, int]) -> int:
        """One of four kinds: an offset, and the number of bits that are added to it."""
        offset, count = kinds[self(2)]
        return offset + self(count)

    def enum(self) -> int:
        return self.number((0, 0), (1, 0), (2, 4), (18, 6))


def _read_header(bits: _Bits) -> Jxl:
    size = _read_size(bits)
    if bits(1):  # all by default
        return Jxl(size)
    orientation, is_animated = 1, False
    if bits(1):
        orientation = 1 + bits(3)
        if bits(1):  # the size that it is meant to be shown with
            _read_size(bits)
        if bits(1):
            _skip_preview(bits)
        if is_animated := bool(bits(1)):
            _skip_animation(bits)
    depth, is_float = _read_depth(bits)
    bits(1)  # how wide the buffers of decoders are
    channels = [_read_channel(bits) for _ in range(bits.number((0, 0), (1, 0), (2, 4), (1, 12)))]
    bits(1)  # whether it is coded as XYB
    is_grey = not bits(1) and _read_is_grey(bits)
    alphas = [is_premultiplied for kind, is_premultiplied in channels if kind == _ALPHA]
    return Jxl(
        size,
        orientation,
        depth,
        is_float,
        is_grey,
        has_alpha=bool(alphas),
        is_premultiplied=any(alphas[:1]),
        has_black=any(kind == _BLACK for kind, _ in channels),
        is_animated=is_animated,
    )


def _read_size(bits: _Bits) -> tuple[int, int]:
    def side() -> int:
        return 8 * (1 + bits(5)) if is_small else bits.number((1, 9), (1, 13), (1, 18), (1, 30))

    is_small = bits(1)
    height, ratio = side(), bits(3)
    across, down = _RATIOS[ratio]
    return (height * across // down if ratio else side()), height


def _skip_preview(bits: _Bits) -> None:
    def side() -> int:
        kinds = ((16, 0), (32, 0), (1, 5), (33, 9)) if in_blocks else ((1, 6), (65, 8), (321, 10), (1345, 12))
        return bits.number(*kinds)

    in_blocks = bits(1)
    side()
    if not bits(3):
        side()


def _skip_animation(bits: _Bits) -> None:
    bits.number((100, 0), (1000, 0), (1, 10), (1, 30))
    bits.number((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.number((0, 0), (0, 3), (0, 16), (0, 32))
    bits(1)


def _read_depth(bits: _Bits) -> tuple[int, bool]:
    if not bits(1):
        return bits.number((8, 0), (10, 0), (12, 0), (1, 6)), False
    depth = bits.number((32, 0), (16, 0), (24, 0), (1, 6))
    bits(4)
    return depth, True


def _read_channel(bits: _Bits) -> tuple[int, bool]:
    """The kind of an extra channel, and whether colors are multiplied by it."""
    if bits(1):
        return _ALPHA, False
    kind = bits.enum()
    _read_depth(bits)
    bits.number((0, 0), (3, 0), (4, 0), (1, 3))  # by how much it is smaller
    bits(8 * bits.number((0, 0), (0, 4), (16, 5), (48, 10)))  # its name
    rest: dict[int, Callable[[], int]] = {
        _ALPHA: lambda: bits(1),
        2: lambda: bits(64),  # a spot color
        5: lambda: bits.number((1, 0), (0, 2), (3, 4), (19, 8)),  # of a color filter
    }
    is_premultiplied = rest.get(kind, lambda: 0)()
    return kind, kind == _ALPHA and bool(is_premultiplied)


def _read_is_grey(bits: _Bits) -> bool:
    bits(1)  # whether there is a profile
    return bits.enum() == 1
