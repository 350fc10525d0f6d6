"""BMP, and formats that have nothing to make longer but what is behind their end."""

import struct

from bombs.collection import Zeros, bombs_of, little, saved

bmp = bombs_of("bmp")


@bmp
def header(size):
    return [b"BM" + bytes(8) + little(14 + size), little(size), Zeros(size)]


@bmp
def ends_of_lines(size):
    header = struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 8, 1, size, 0, 0, 256, 0)
    return [b"BM" + bytes(8) + little(14 + 40 + 1024) + header + bytes(1024), Zeros(size), b"\0\1"]


for image_format in ("WEBP", "TGA", "QOI"):
    bombs_of(image_format.lower())(lambda size, kind=image_format: [saved(kind), Zeros(size)], "behind_the_end")
