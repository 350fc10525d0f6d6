import struct

from bombs.collection import bombs_of, saved
from bombs.png import compressed_texts as texts_of_png
from bombs.png import zeros_in_chunk

bomb = bombs_of("ico")


def ico_of(data):
    return [b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 24, 16, 0, 0, 1, 32, len(data), 22), data]


@bomb
def entries(size):
    png = saved("PNG")
    count = min(65_535, size // 16)
    entry = struct.pack("<BBBBHHII", 24, 16, 0, 0, 1, 32, len(png), 6 + 16 * count)
    return [b"\0\0\1\0" + struct.pack("<H", count) + entry * count, png]


@bomb
def compressed_texts(size):
    return ico_of(b"".join(texts_of_png(size)))


@bomb
def unknown_chunk(size):
    start, *parts = zeros_in_chunk(size, b"teSt")
    return [*ico_of(start), *parts]
