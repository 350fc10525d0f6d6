"""Directories of tags, as TIFF and EXIF have them."""

import struct

from bombs.collection import little

EMPTY_EXIF = b"MM\0*\0\0\0\x08\0\0"
THIRD = struct.pack("<II", 1, 3)


def directory_bytes(entries):
    return 2 + 12 * entries + 4


def directory(entries, following=0):
    """`entries` are (tag, type, count, value) with values of 4 bytes."""
    packed = b"".join(struct.pack("<HHI", *item[:3]) + item[3] for item in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + little(following)


def many_thirds(size, place):
    """Entries that all have thousands of fractions, which are at `place`, where one is needed."""
    return [(tag, 5, size // 8, little(place)) for tag in (274, 282, 283)]


def exif_of_numbers(size):
    entries = many_thirds(size, 8 + directory_bytes(3))
    return b"II*\0" + little(8) + directory(entries) + THIRD * (size // 8)
