"""Its files (`jp2`) and bare codestreams (`j2k`)."""

import struct

from bombs.boxes import FREE, box, box_at, zero_box
from bombs.collection import add_repeats, big, bombs_of, saved
from bombs.jpeg import segment

GREY, SRGB = 17, 16
END = b"\xff\xd9"

bare, wrapped = bombs_of("j2k"), bombs_of("jp2")


def codestream(width, height, tile, *, code=(0, 1, 0, 0, 4, 4), precincts=b"", components=1):
    """The main header, and one tile: `code` is progression, layers, transform, levels, exponents of code blocks - 2."""
    siz = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, *tile, 0, 0, components) + b"\7\1\1" * components
    progression, layers, transform, levels, across, down = code
    cod = struct.pack(">BBHBBBBBB", bool(precincts), progression, layers, transform, levels, across, down, 0, 1)
    qcd = b"\x40" + b"\x40" * (1 + 3 * levels)
    return (
        b"\xff\x4f"
        + segment(0x51, siz)
        + segment(0x52, cod + precincts)
        + segment(0x5C, qcd)
        + tile_part(0, 0, bytes(8))
        + END
    )


def tile_part(tile, size, data):
    return segment(0x90, struct.pack(">HIBB", tile, size, 0, 1)) + b"\xff\x93" + data


def whole(side, **options):
    """A square of one tile."""
    return codestream(side, side, (side, side), **options)


def file_of(side, components, space, data):
    """A file that says that the picture is a square of so many components."""
    header = struct.pack(">IIHBBBB", side, side, components, 7, 7, 0, 0)
    colors = b"\1\0\0" + big(space)
    return [saved("JPEG2000")[:32], box(b"jp2h", box(b"ihdr", header), box(b"colr", colors)), box(b"jp2c", data)]


@bare
def tiles(size):
    side = min(255, int((size / 1000) ** 0.5))
    return [codestream(side, side, (1, 1))]


@bare
def precincts(size):
    return [whole(int((size / 50) ** 0.5), precincts=b"\0")]


@bare
def code_blocks(size):
    return [whole(int((size / 2) ** 0.5), code=(0, 1, 0, 0, 0, 0))]


@bare
def layers(size):
    return [whole(1024, code=(0, 65_535, 0, 5, 4, 4), precincts=b"\x66" * 6)]


@bare
def packets(size):
    """None of which is there."""
    count, empty = min(64, size // 2000), bytes(2000)
    data = codestream(8 * 32, 8 * 32, (32, 32), code=(0, 65_535, 0, 32, 4, 4), components=3)
    header = data[: data.index(b"\xff\x90")]
    return [header, *(tile_part(tile, 14 + len(empty), empty) for tile in range(count)), END]


@bare
def components(size):
    return file_of(64, 3, SRGB, whole(64, components=16_384))


@bare
def size_lie(size):
    return file_of(64, 1, GREY, whole(int(size**0.5)))


def file_with(boxes):
    data = saved("JPEG2000")
    return [data[:32], boxes, data[32:]]


def codestream_with(segments):
    data = saved("JPEG2000", no_jp2=True)
    at = data.index(b"\xff\x52")
    return [data[:at], segments, data[at:]]


add_repeats(wrapped, file_with, empty_boxes=FREE)
add_repeats(wrapped, codestream_with, comments=segment(0x63, b"\0"))


@wrapped
def header(size):
    data = saved("JPEG2000")
    start, end = box_at(data, b"jp2h")
    more = zero_box(b"free", size)
    return [data[:start], big(end - start + 8 + size), data[start + 4 : end], *more, data[end:]]
