import struct

from bombs.collection import Zeros, add_table, bombs_of, little, repeated, saved

ANIMATED = 2  # flag

bomb = bombs_of("webp")


def webp_with(*parts, late=(), frames=b"", flags=0, size=(24, 16)):
    """A WebP with parts of our own before its picture or frames, and behind."""
    header = struct.pack("<4sIB3s", b"VP8X", 10, flags, b"\0\0\0") + b"".join(
        (side - 1).to_bytes(3, "little") for side in size
    )
    body = [b"WEBP", header, *parts, frames or saved("WEBP")[12:], *late]
    return [b"RIFF" + little(sum(item if isinstance(item, Zeros) else len(item) for item in body)), *body]


def animation(frames, size=(24, 16)):
    return webp_with(b"ANIM" + little(6) + bytes(6), frames=frames, flags=ANIMATED, size=size)


def frame():
    data = saved("WEBP", (2, 2), lossless=True)[12:]
    return b"ANMF" + little(16 + len(data)) + bytes(6) + b"\1\0\0\1\0\0" + b"\x0a\0\0\0" + data


def zeros(size, kind):
    size += size % 2
    return kind + little(size), Zeros(size)


def zeros_in_late_chunk(size, kind, flags):
    return webp_with(late=zeros(size, kind), flags=flags)


add_table(bomb, zeros_in_late_chunk, {"unknown_chunk": (b"TEST", 0), "xmp": (b"XMP ", 4), "exif": (b"EXIF", 8)})


@bomb
def profile(size):
    return webp_with(*zeros(size, b"ICCP"), flags=32)


@bomb
def empty_chunks(size):
    return webp_with(late=[repeated(b"TEST" + little(0), size)])


@bomb
def frames(size):
    return animation(repeated(frame(), size))


@bomb
def canvas(size):
    """Its side is the root of `size`: one small frame on much of nothing."""
    side = min(16_383, int(size**0.5))
    return animation(frame(), (side, side))
