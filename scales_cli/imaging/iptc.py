"""IPTC-IIM: captions, keywords and credits, as agencies and newsrooms record them.

They lie in a resource of Photoshop's, which JPEG has in its segment APP13, PNG as hexadecimal text, and TIFF in a tag.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

SEGMENT_PREFIX = b"Photoshop 3.0\0"
MAX_SEGMENT_IPTC_BYTES = 65_533 - len(SEGMENT_PREFIX) - 12 - 1
_RESOURCE = 0x0404
MARKER = b"\x1c"  # of each record
_PREVIEWS = (200, 201, 202)  # of record 2


def from_resources(block: bytes) -> bytes | None:
    """The records in a block of Photoshop's resources, None if there are none."""
    at = 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        (code,) = struct.unpack_from(">H", block, at + 4)
        at += 6 + (block[at + 6] + 2) // 2 * 2  # a name, of an even length with that of its length
        size = int.from_bytes(block[at : at + 4], "big")
        data = block[at + 4 : at + 4 + size]
        if code == _RESOURCE:
            return data or None
        at += 4 + size + size % 2
    return None


def as_resources(records: bytes) -> bytes:
    """A block of resources that holds nothing else."""
    return b"8BIM" + struct.pack(">HHI", _RESOURCE, 0, len(records)) + records + bytes(len(records) % 2)


def from_tag(value: bytes) -> bytes:
    """The records of a TIFF file's tag. Some writers call them 32-bit numbers, and turn the bytes of each."""
    if value[:1] != MARKER and value[3:4] == MARKER:
        padded = value + bytes(-len(value) % 4)
        return b"".join(padded[at : at + 4][::-1] for at in range(0, len(padded), 4))
    return value


def still_true(records: bytes) -> bytes | None:
    """The records of the envelope and the application but previews, None if there are none.

    Those of other numbers describe the pixels. Raises `ValueError` for broken ones.
    """
    kept = b"".join(
        data for record, number, data in _datasets(records) if record in (1, 2) and (record, number) not in _UNTRUE
    )
    return kept or None


_UNTRUE = {(2, number) for number in _PREVIEWS}


def _datasets(records: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Record, number and bytes of each."""
    at, end = 0, len(records.rstrip(b"\0"))
    while at < end:
        if records[at : at + 1] != MARKER or at + 5 > len(records):
            raise ValueError("they are damaged")
        size, start = int.from_bytes(records[at + 3 : at + 5], "big"), at + 5
        if size & 0x8000:  # the length of the length follows
            start += size & 0x7FFF
            size = int.from_bytes(records[at + 5 : min(start, at + 9)], "big")
        if start + size > len(records):
            raise ValueError("they are cut off")
        yield records[at + 1], records[at + 2], records[at : start + size]
        at = start + size
