"""The directory of a TIFF file: its tags with their values, little endian."""

from __future__ import annotations

import struct

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
_TYPE_CODES = {BYTE: "B", ASCII: "B", SHORT: "H", LONG: "I", UNDEFINED: "B", LONG8: "Q"}

Tags = dict[int, tuple[int, tuple[int, ...] | bytes]]  # a tag's number -> its type and its value


def directory(tags: Tags, position: int, big: bool = False) -> bytes:
    """One image file directory; values that are longer than an offset follow it."""
    count_code, offset_code = ("Q", "Q") if big else ("H", "I")
    room = struct.calcsize(offset_code)
    entries, values = b"", b""
    after = position + struct.calcsize(count_code) + (4 + 2 * room) * len(tags) + room
    for tag, (kind, value) in sorted(tags.items()):
        if kind == RATIONAL:
            count, packed = 1, struct.pack("<II", *value)
        else:
            count, packed = len(value), struct.pack(f"<{len(value)}{_TYPE_CODES[kind]}", *value)
        entries += struct.pack(f"<HH{offset_code}", tag, kind, count)
        if len(packed) <= room:
            entries += packed.ljust(room, b"\0")
        else:
            entries += struct.pack(f"<{offset_code}", after + len(values))
            values += packed + bytes(len(packed) % 2)
    return struct.pack(f"<{count_code}", len(tags)) + entries + bytes(room) + values
