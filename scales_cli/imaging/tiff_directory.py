"""Directories of TIFF files: tags with their values, as they are written and as they are read."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
_TYPE_CODES = {SHORT: "H", LONG: "I", LONG8: "Q"}
VALUE_TYPES = frozenset(range(1, 13))  # of a classic file, without those of offsets
ELEMENT_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MAX_ENTRIES = 4096

Tags = dict[int, tuple[int, tuple[int, ...] | bytes]]  # a tag's number -> its type and its value; bytes as they lie
Entries = dict[int, tuple[int, bytes]]  # the same, as read


def directory(tags: Tags, position: int, *, big: bool = False, order: str = "<") -> bytes:
    """One image file directory; values that are longer than an offset follow it."""
    count_code, offset_code = ("Q", "Q") if big else ("H", "I")
    room = struct.calcsize(offset_code)
    entries, values = b"", b""
    after = position + struct.calcsize(count_code) + (4 + 2 * room) * len(tags) + room
    for tag, (kind, value) in sorted(tags.items()):
        if isinstance(value, bytes):
            count, packed = len(value) // ELEMENT_BYTES[kind], value
        elif kind == RATIONAL:
            count, packed = len(value) // 2, struct.pack(f"{order}{len(value)}I", *value)
        else:
            count, packed = len(value), struct.pack(f"{order}{len(value)}{_TYPE_CODES[kind]}", *value)
        entries += struct.pack(f"{order}HH{offset_code}", tag, kind, count)
        if len(packed) <= room:
            entries += packed.ljust(room, b"\0")
        else:
            entries += struct.pack(order + offset_code, after + len(values))
            values += packed + bytes(len(packed) % 2)
    return struct.pack(order + count_code, len(tags)) + entries + bytes(room) + values


class DirectoryReader:
    """Reads the directories of a TIFF file, up to `room` bytes of values. Raises `ValueError` if it is none.

    `damaged` counts the entries that could not be read: cut off, or beyond the room.
    """

    def __init__(self, stream: BinaryIO, room: int) -> None:
        self._stream, self._room = stream, room
        self._size = stream.seek(0, os.SEEK_END)
        self.damaged = 0
        start = self._bytes(0, 16 if self._size >= 16 else 8)
        self.order = {b"II": "<", b"MM": ">"}.get(start[:2], "")
        if not self.order or len(start) < 8:
            raise ValueError("no TIFF header")
        self.is_big = len(start) == 16 and struct.unpack(self.order + "H", start[2:4]) == (43,)
        self._count_code, self._offset_code = ("Q", "Q") if self.is_big else ("H", "I")
        self.first = self.number(start[8:] if self.is_big else start[4:8])

    def number(self, value: bytes) -> int:
        """An integer of this file."""
        return int.from_bytes(value, "little" if self.order == "<" else "big")

    def entries(
        self, position: int, left_out: frozenset[int] = frozenset(), only: frozenset[int] | None = None
    ) -> Entries:
        """A directory's entries of known types, but those left out, or those named only."""
        stated = self._bytes(position, struct.calcsize(self._count_code))
        if not stated:
            self.damaged += 1
        count = self.number(stated)
        entry = struct.Struct(f"{self.order}HH{self._offset_code}{struct.calcsize(self._offset_code)}s")
        table = self._bytes(position + struct.calcsize(self._count_code), min(count, _MAX_ENTRIES) * entry.size)
        table = table[: len(table) // entry.size * entry.size]
        self.damaged += count - len(table) // entry.size
        found: Entries = {}
        for tag, kind, length, value in entry.iter_unpack(table):
            if tag in left_out or tag in found or kind not in ELEMENT_BYTES or (only is not None and tag not in only):
                continue
            size = length * ELEMENT_BYTES[kind]
            data = value[:size] if size <= len(value) else self._bytes(self.number(value), size)
            if len(data) == size:
                found[tag] = (kind, data)
            else:
                self.damaged += 1
        return found

    def following(self, position: int) -> int:
        """Where the directory behind this one begins, 0 if it is the last."""
        count_size, offset_size = struct.calcsize(self._count_code), struct.calcsize(self._offset_code)
        count = self.number(self._bytes(position, count_size))
        return self.number(self._bytes(position + count_size + count * (4 + 2 * offset_size), offset_size))

    def numbers(self, entry: tuple[int, bytes]) -> tuple[int, ...]:
        """The integers of an entry of unsigned ones."""
        kind, data = entry
        size = ELEMENT_BYTES[kind]
        return tuple(self.number(data[start : start + size]) for start in range(0, len(data), size))

    def _bytes(self, position: int, size: int) -> bytes:
        """Fewer if the file ends before, none beyond the room."""
        if size > self._room or position > self._size:
            return b""
        self._stream.seek(position)
        data = self._stream.read(size)
        self._room -= len(data)
        return data
