import struct

from bombs.collection import add_repeats, add_table, bombs_of, plain, repeated, saved
from bombs.directory import EMPTY_EXIF, exif_of_numbers

bomb = bombs_of("jpeg")


def jpeg_with(*parts):
    """A JPEG with parts of our own before its tables."""
    data = saved("JPEG")
    at = data.index(b"\xff\xdb")
    return [data[:at], *parts, data[at:]]


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def many_scans(size):
    """A picture of one colour, whose last scan is there again and again: each passes over all blocks."""
    data = plain(2000, "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return [data[:at], repeated(data[at:-2], size), b"\xff\xd9"]


def full_segments(size, marker, start=b""):
    return jpeg_with(repeated(segment(marker, start.ljust(65_533, b"\0")), size))


add_table(
    bomb,
    full_segments,
    {
        "application": (0xE5,),
        "comments": (0xFE,),
        "exif": (0xE1, b"Exif\0\0" + EMPTY_EXIF),
        "profile": (0xE2, b"ICC_PROFILE\0\1\1"),
        "resources": (0xED, b"Photoshop 3.0\0"),
        "extended_xmp": (0xE1, b"http://ns.adobe.com/xmp/extension/\0"),
        "xmp": (0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
    },
)
add_repeats(
    bomb,
    jpeg_with,
    empty_segments=segment(0xFE, b""),
    fill_bytes=b"\xff",
    junk=b"\0",
    tables=segment(0xDB, (b"\0" + b"\1" * 64) * 1008),
)
add_repeats(bomb, lambda rest: [*jpeg_with()[:1], rest], fill_bytes_to_the_end=b"\xff", junk_to_the_end=b"\0")
bomb(many_scans, "scans")


@bomb
def numbers_of_exif(size):
    data = exif_of_numbers(min(size, 2**22 - 2**16))
    return jpeg_with(*(segment(0xE1, b"Exif\0\0" + data[at : at + 65_000]) for at in range(0, len(data), 65_000)))
