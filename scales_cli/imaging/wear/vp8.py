"""The quality of a lossy WebP file, from the header of its first frame (RFC 6386, section 9)."""

from __future__ import annotations

from collections.abc import Iterator

HEADER_BYTES = 128  # of a frame, more than its quantizers can lie behind
_SEGMENTS = 4


def quality_of(frame: bytes) -> float | None:
    """0..100, as libwebp numbers it; the mean if parts of the picture have their own. None if `frame` is damaged."""
    bits = _read_bits(frame[10:])  # behind the tag, the start code and the size
    try:
        return _quality_of(_quantizers(bits))
    except StopIteration:
        return None


def _quantizers(bits: Iterator[int]) -> list[int]:
    """Those of the segments, or the only one, 0..127."""
    _number(bits, 2)  # colour space, clamping
    absolute, ofs = False, []
    if next(bits):  # there are segments
        has_map, has_data = next(bits), next(bits)
        if has_data:
            absolute = bool(next(bits))
            ofs = [_optional(bits, 7) for _ in range(_SEGMENTS)]
            for _ in range(_SEGMENTS):
                _optional(bits, 6)  # of the loop filter
        if has_map:
            for _ in range(3):
                _number(bits, 8 if next(bits) else 0)
    _number(bits, 1 + 6 + 3)  # the loop filter
    if next(bits) and next(bits):  # which differs by kind of prediction
        for _ in range(8):
            _optional(bits, 6)
    _number(bits, 2)  # partitions
    base = _number(bits, 7)
    return [max(0, min(127, item if absolute else base + item)) for item in ofs] or [base]


def _quality_of(quantizers: list[int]) -> float:
    """The inverse of what libwebp makes of a quality."""
    fineness = (1 - sum(quantizers) / len(quantizers) / 127) ** 3
    return round(100 * (fineness * 1.5 if fineness < 0.5 else (fineness + 1) / 2), 1)


def _number(bits: Iterator[int], count: int) -> int:
    value = 0
    for _ in range(count):
        value = 2 * value + next(bits)
    return value


def _optional(bits: Iterator[int], count: int) -> int:
    """A signed number, 0 if it is left out."""
    if not next(bits):
        return 0
    value = _number(bits, count)
    return -value if next(bits) else value


def _read_bits(data: bytes) -> Iterator[int]:
    """Bits that are as often 0 as 1, as VP8's arithmetic decoder has them; it ends with `data`."""
    source = iter(data)
    try:
        value, span, shifted = next(source) << 8 | next(source), 255, 0
        while True:
            split = 1 + (span - 1) // 2
            bit = value >= split << 8
            if bit:
                value -= split << 8
            span = span - split if bit else split
            yield int(bit)
            while span < 128:
                value, span, shifted = 2 * value, 2 * span, shifted + 1
                if shifted == 8:
                    value, shifted = value | next(source), 0
    except StopIteration:
        return
