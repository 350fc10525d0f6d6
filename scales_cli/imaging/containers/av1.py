"""The size of an AV1 picture, from the header of its sequence (AV1 bitstream specification, section 5.5)."""

from __future__ import annotations

_SEQUENCE_HEADER = 1
_MAX_UNITS = 8  # at the beginning, among which it is


def frame_size(data: bytes) -> tuple[int, int] | None:
    """The largest width and height of frames, None if `data`, which may be cut off, do not begin with a header."""
    position = 0
    for _ in range(_MAX_UNITS):
        if position >= len(data):
            return None
        head = data[position]
        position += 2 if head & 4 else 1
        size, shift = 0, 0
        while head & 2 and position < len(data):  # in groups of seven bits
            byte = data[position]
            size |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if byte < 0x80:
                break
        if head >> 3 & 15 == _SEQUENCE_HEADER:
            return _size_of_sequence(_Bits(data[position : position + 256]))
        if not head & 2:
            return None
        position += size
    return None


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def number(self, size: int) -> int:
        """Zeros behind the end."""
        self._left -= size
        value = self._value >> self._left if self._left >= 0 else 0
        return value & ((1 << size) - 1)

    def skip_variable(self) -> None:
        zeros = 0
        while self._left > 0 and not self.number(1):
            zeros += 1
        self.number(min(zeros, 32))


def _size_of_sequence(bits: _Bits) -> tuple[int, int]:
    bits.number(4)  # profile, still picture
    if bits.number(1):  # a short header
        bits.number(5)
    else:
        _skip_operation(bits)
    across, down = bits.number(4) + 1, bits.number(4) + 1
    return bits.number(across) + 1, bits.number(down) + 1


def _skip_operation(bits: _Bits) -> None:
    """How fast it is to be decoded."""
    delay_bits = 0
    if bits.number(1):
        bits.number(64)
        if bits.number(1):
            bits.skip_variable()
        if bits.number(1):
            delay_bits = bits.number(5) + 1
            bits.number(32 + 10)
    has_display_delay = bits.number(1)
    for _ in range(bits.number(5) + 1):
        bits.number(12)
        if bits.number(5) > 7:
            bits.number(1)
        if delay_bits and bits.number(1):
            bits.number(2 * delay_bits + 1)
        if has_display_delay and bits.number(1):
            bits.number(4)
