"""Small files of every format that make careless readers take much memory or time. `BOMBS` makes each of any size.

What is long is mostly zeros, which sparse files do not hold.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
BOMBS = {}


class Zeros(int):
    """As many zeros."""


def bomb(function):
    """`function(size)` gives the parts of a file in which as many bytes are of no use."""
    return bomb_named(function.__name__.replace("_", "-", 1))(function)


def bomb_named(name):
    """The same for a function of no name; what stands before the hyphen is the file's extension."""

    def add(function):
        assert name not in BOMBS
        BOMBS[name] = function
        return function

    return add


def write_bomb(name, size, path):
    with path.open("wb") as file:
        for part in BOMBS[name](size):
            if isinstance(part, Zeros):
                file.seek(part, io.SEEK_CUR)
            else:
                file.write(part)
        file.truncate()


def saved(image_format, size=(24, 16), mode="RGB", **options):
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)).resize(size).convert(mode)
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def repeated(data, size):
    return data * max(1, size // len(data))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def zero_chunk(name, size, data=b""):
    """The parts of a chunk of `data` and zeros."""
    checksum, block, rest = zlib.crc32(name + data), bytes(2**20), size
    while rest:
        checksum, rest = zlib.crc32(block[:rest], checksum), max(0, rest - len(block))
    return struct.pack(">I", len(data) + size) + name + data, Zeros(size), struct.pack(">I", checksum)


def png_with(*parts, late=()):
    """A PNG with parts of our own before the pixels, and behind them."""
    data = saved("PNG")
    return [data[:33], *parts, data[33:-12], *late, data[-12:]]


def deflated_zeros(size):
    return zlib.compress(bytes(size), 9)


# PNG


def png_chunk_bomb(name, kind, start=b"", *, late=False):
    """A chunk of zeros behind `start`."""

    @bomb_named(f"png-{name}")
    def parts(size):
        long = zero_chunk(kind, size, start)
        return png_with(late=long) if late else png_with(*long)


EMPTY_EXIF = b"MM\0*\0\0\0\x08\0\0"
png_chunk_bomb("unknown_chunk", b"teSt")
png_chunk_bomb("unknown_late_chunk", b"teSt", late=True)
png_chunk_bomb("exif", b"eXIf", EMPTY_EXIF)
png_chunk_bomb("late_exif", b"eXIf", EMPTY_EXIF, late=True)
png_chunk_bomb("long_physical_size", b"pHYs")
png_chunk_bomb("long_palette", b"PLTE")
png_chunk_bomb("text", b"tEXt", b"Comment\0")


@bomb
def png_long_header(size):
    data = saved("PNG")
    return [PNG_SIGNATURE, *zero_chunk(b"IHDR", size, data[16:29]), data[33:]]


@bomb
def png_texts(size):
    return png_with(b"".join(chunk(b"tEXt", b"k%d\0v" % number) for number in range(size // 18)))


@bomb
def png_compressed_texts(size):
    text = b"k%d\0\0" + deflated_zeros(2**24 - 2**10)
    return png_with(*(chunk(b"zTXt", text % number) for number in range(-(-size // len(text)))))


@bomb
def png_compressed_xmp(size):
    text = b"XML:com.adobe.xmp\0\1\0\0\0" + deflated_zeros(2**24 - 2**10)
    return png_with(repeated(chunk(b"iTXt", text), size))


@bomb
def png_compressed_late_texts(size):
    return png_with(late=png_compressed_texts(size)[1:-2])


@bomb
def png_profiles(size):
    profile = chunk(b"iCCP", b"name\0\0" + deflated_zeros(2**24 - 2**10))
    return png_with(repeated(profile, size))


@bomb
def png_empty_pixel_chunks(size):
    data = saved("PNG")
    return [data[:33], repeated(chunk(b"IDAT", b""), size), data[33:]]


@bomb
def png_empty_chunks(size):
    return png_with(repeated(chunk(b"teSt", b""), size))


@bomb
def png_frames(size):
    control = b"".join(
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 24, 16, 0, 0, 1, 10, 0, 0)) for number in range(size // 38)
    )
    return png_with(chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), control)


def exif_of_numbers(size):
    """Thousands of fractions in tags that need one."""
    tags = (274, 282, 283)
    place = 8 + 2 + 12 * len(tags) + 4
    entries = [(tag, 5, size // 8, number(place)) for tag in tags]
    return b"II*\0" + number(8) + tiff_directory(entries, 8) + struct.pack("<II", 1, 3) * (size // 8)


@bomb
def png_numbers_of_exif(size):
    return png_with(chunk(b"eXIf", exif_of_numbers(min(size, 2**22 - 2**10))))


# JPEG


def jpeg_with(*parts, before=b"\xff\xdb", **options):
    data = saved("JPEG", **options)
    at = data.index(before)
    return [data[:at], *parts, data[at:]]


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def segments(marker, size, start=b""):
    return repeated(segment(marker, start.ljust(65_533, b"\0")), size)


def jpeg_segments_bomb(name, marker, start=b""):
    @bomb_named(f"jpeg-{name}")
    def parts(size):
        return jpeg_with(segments(marker, size, start))


jpeg_segments_bomb("application", 0xE5)
jpeg_segments_bomb("comments", 0xFE)
jpeg_segments_bomb("exif", 0xE1, b"Exif\0\0" + EMPTY_EXIF)
jpeg_segments_bomb("profile", 0xE2, b"ICC_PROFILE\0\1\1")
jpeg_segments_bomb("resources", 0xED, b"Photoshop 3.0\0")
jpeg_segments_bomb("extended_xmp", 0xE1, b"http://ns.adobe.com/xmp/extension/\0")
jpeg_segments_bomb("xmp", 0xE1, b"http://ns.adobe.com/xap/1.0/\0")


@bomb
def jpeg_empty_segments(size):
    return jpeg_with(repeated(segment(0xFE, b""), size))


@bomb
def jpeg_numbers_of_exif(size):
    data = exif_of_numbers(min(size, 2**22 - 2**16))
    return jpeg_with(*(segment(0xE1, b"Exif\0\0" + data[at : at + 65_000]) for at in range(0, len(data), 65_000)))


@bomb
def jpeg_fill_bytes(size):
    return jpeg_with(b"\xff" * size)


@bomb
def jpeg_junk(size):
    return jpeg_with(bytes(size))


@bomb
def jpeg_tables(size):
    return jpeg_with(repeated(segment(0xDB, (b"\0" + b"\1" * 64) * 1008), size))


@bomb
def jpeg_scans(size):
    """A picture of one colour, whose last scan is there again and again: each passes over all blocks."""
    stream = io.BytesIO()
    Image.new("L", (2000, 2000), 99).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    at = data.rindex(b"\xff\xda")
    return [data[:at], repeated(data[at:-2], size), b"\xff\xd9"]


# TIFF


def tiff_directory(entries, position, following=0):
    """`entries` are (tag, type, count, value) with values of 4 bytes."""
    packed = b"".join(struct.pack("<HHI", *item[:3]) + item[3] for item in sorted(entries))
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def number(value):
    return struct.pack("<I", value)


def tiff_entries(offset, width=8, height=8, more=()):
    return [
        (256, 4, 1, number(width)),
        (257, 4, 1, number(height)),
        (258, 3, 1, number(8)),
        (259, 3, 1, number(1)),
        (262, 3, 1, number(1)),
        (273, 4, 1, number(offset)),
        (277, 3, 1, number(1)),
        (278, 4, 1, number(height)),
        (279, 4, 1, number(width * height)),
        *more,
    ]


def tiff_with_tag(tag, kind, size, count=None):
    """Pixels, then a directory with a tag of `size` zeros behind it."""
    more = [(tag, kind, size if count is None else count, number(72 + 2 + 12 * 10 + 4))]
    return [b"II*\0" + number(72), bytes(range(64)), tiff_directory(tiff_entries(8, more=more), 72), Zeros(size)]


@bomb
def tiff_pages(size):
    step = 2 + 12 * 9 + 4
    pages = max(1, size // step)
    directories = (
        tiff_directory(tiff_entries(8), 72, 72 + step * (page + 1) if page + 1 < pages else 0) for page in range(pages)
    )
    return [b"II*\0" + number(72), bytes(range(64)), b"".join(directories)]


@bomb
def tiff_below(size):
    """Directories of one tag, many below each of a chain."""
    step = 2 + 12 + 4
    count = max(1, size // (64 * step))
    below = 8 + count * (2 + 12 * 10 + 4)
    chain = [
        tiff_directory(
            tiff_entries(8, more=[(330, 4, 64, number(below + 256 * index))]),
            8,
            (index + 1 < count) * (8 + 126 * (index + 1)),
        )
        for index in range(count)
    ]
    places = [number(below + 256 * count + step * index) for index in range(64 * count)]
    return [b"II*\0" + number(8), *chain, *places, tiff_directory([(254, 4, 1, number(1))], 0) * (64 * count)]


def tiff_tag_bomb(name, tag, kind):
    @bomb_named(f"tiff-{name}")
    def parts(size):
        return tiff_with_tag(tag, kind, size)


tiff_tag_bomb("unknown_tag", 60_000, 7)
tiff_tag_bomb("layers", 37_724, 7)
tiff_tag_bomb("resources", 34_377, 7)
tiff_tag_bomb("profile", 34_675, 7)
tiff_tag_bomb("xmp", 700, 1)
tiff_tag_bomb("description", 270, 2)


@bomb
def tiff_strips(size):
    """Offsets of strips that there are not."""
    base = [entry for entry in tiff_entries(8) if entry[0] != 273]
    entries = [*base, (273, 4, size // 4, number(72 + 2 + 12 * 9 + 4))]
    return [b"II*\0" + number(72), bytes(range(64)), tiff_directory(entries, 72), Zeros(size)]


@bomb
def tiff_numbers(size):
    """The largest that tags may be, of fractions."""
    size = min(size, 2**20)
    place = 72 + 2 + 12 * 12 + 4
    entries = tiff_entries(8, more=[(tag, 5, size // 8, number(place)) for tag in (274, 282, 283)])
    return [
        b"II*\0" + number(72),
        bytes(range(64)),
        tiff_directory(entries, 72),
        struct.pack("<II", 1, 3) * (size // 8),
    ]


@bomb
def tiff_maker_note(size):
    """In the directory of its EXIF."""
    place = 72 + 2 + 12 * 10 + 4
    first = tiff_directory(tiff_entries(8, more=[(34_665, 4, 1, number(place))]), 72)
    exif = tiff_directory([(37_500, 7, size, number(place + 2 + 12 + 4))], place)
    return [b"II*\0" + number(72), bytes(range(64)), first, exif, Zeros(size)]


@bomb
def tiff_entries_of_one_value(size):
    """A directory of many tags that all have the same value."""
    half = size // 2
    place = 72 + 2 + 12 * (9 + 2000) + 4
    more = [(50_000 + index, 7, half // 2000, number(place)) for index in range(2000)]
    return [b"II*\0" + number(72), bytes(range(64)), tiff_directory(tiff_entries(8, more=more), 72), Zeros(size)]


@bomb
def tiff_compressed_unknown_tag(size):
    """Of pixels that libtiff decodes, which reads the tags, too."""
    packed = zlib.compress(bytes(range(64)))
    place = 8 + len(packed)
    entries = [item for item in tiff_entries(8) if item[0] not in (259, 279)]
    entries += [(259, 3, 1, number(8)), (279, 4, 1, number(len(packed)))]
    entries += [(60_000, 7, size, number(place + 2 + 12 * 10 + 4))]
    return [b"II*\0" + number(place), packed, tiff_directory(entries, place), Zeros(size)]


@bomb
def tiff_scans(size):
    """A JPEG of many scans in a strip."""
    data = b"".join(jpeg_scans(size))
    place = 8 + len(data) + len(data) % 2
    entries = [item for item in tiff_entries(8, 2000, 2000) if item[0] not in (259, 279)]
    entries += [(259, 3, 1, number(7)), (279, 4, 1, number(len(data)))]
    return [b"II*\0" + number(place), data.ljust(place - 8, b"\0"), tiff_directory(entries, place)]


# Netpbm


@bomb
def ppm_comment(size):
    return [b"P6\n#", b"x" * size, b"\n4 4 255\n", bytes(48)]


@bomb
def ppm_spaces(size):
    return [b"P6\n", b" " * size, b"4 4 255\n", bytes(48)]


@bomb
def ppm_comments(size):
    return [b"P6\n", repeated(b"# \r \n", size), b"4 4 255\n", bytes(48)]


@bomb
def ppm_plain_comments(size):
    return [b"P2 4 4 255\n", repeated(b"#\n", size), b"1 " * 16]


@bomb
def ppm_plain_zeros(size):
    return [b"P2 4 4 255\n", b"0" * size, b" 1" * 15]


# GIF


def gif_with(*parts):
    data = saved("GIF", mode="L")
    at = 13 + 3 * 2 ** (1 + (data[10] & 7))
    return [data[:at], *parts, data[at:]]


@bomb
def gif_comment(size):
    return gif_with(b"!\xfe", repeated(b"\xff" + b"x" * 255, size), b"\0")


@bomb
def gif_comments(size):
    return gif_with(repeated(b"!\xfe\1x\0", size))


@bomb
def gif_short_blocks(size):
    return gif_with(b"!\xfe", repeated(b"\1x", size), b"\0")


@bomb
def gif_junk(size):
    return gif_with(repeated(b"\1", size))


@bomb
def gif_controls(size):
    return gif_with(repeated(b"!\xf9\0", size))


@bomb
def gif_application(size):
    return gif_with(b"!\xff\x0bSOMEWHAT1.0", repeated(b"\xff" + b"x" * 255, size), b"\0")


@bomb
def gif_frames(size):
    data = saved("GIF", mode="L")
    return [data[:-1], repeated(b",\0\0\0\0\1\0\1\0\0\2\2D\1\0", size), b";"]


@bomb
def gif_late_blocks(size):
    """Behind the first frame."""
    data = saved("GIF", mode="L")
    return [data[:-1], b"!\xfe", repeated(b"\1x", size), b"\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"]


# WebP


def webp_with(*parts, late=(), frames=b"", flags=0, size=(24, 16)):
    data = saved("WEBP")
    frame = frames or data[12:]
    header = struct.pack("<4sIB3s", b"VP8X", 10, flags, b"\0\0\0")
    header += (size[0] - 1).to_bytes(3, "little") + (size[1] - 1).to_bytes(3, "little")
    body = [b"WEBP", header, *parts, frame, *late]
    return [b"RIFF" + number(sum(item if isinstance(item, Zeros) else len(item) for item in body)), *body]


def webp_chunk_bomb(name, kind, flags, *, late=True):
    @bomb_named(f"webp-{name}")
    def parts(size):
        size += size % 2
        long = [kind + number(size), Zeros(size)]
        return webp_with(late=long, flags=flags) if late else webp_with(*long, flags=flags)


webp_chunk_bomb("unknown_chunk", b"TEST", 0)
webp_chunk_bomb("xmp", b"XMP ", 4)
webp_chunk_bomb("exif", b"EXIF", 8)
webp_chunk_bomb("profile", b"ICCP", 32, late=False)


@bomb
def webp_empty_chunks(size):
    return webp_with(late=[repeated(b"TEST" + number(0), size)])


@bomb
def webp_frames(size):
    data = saved("WEBP", (2, 2), lossless=True)[12:]
    frame = b"ANMF" + number(16 + len(data)) + bytes(6) + b"\1\0\0\1\0\0" + b"\x0a\0\0\0" + data
    return webp_with(b"ANIM" + number(6) + bytes(6), frames=repeated(frame, size), flags=2)


@bomb
def webp_canvas(size):
    """Its side is the root of `size`: one small frame on much of nothing."""
    side = min(16_383, int(size**0.5))
    data = saved("WEBP", (2, 2), lossless=True)[12:]
    frame = b"ANMF" + number(16 + len(data)) + bytes(6) + b"\1\0\0\1\0\0" + b"\x0a\0\0\0" + data
    return webp_with(b"ANIM" + number(6) + bytes(6), frames=frame, flags=2, size=(side, side))


# Boxes: AVIF and JPEG 2000


def box(kind, data):
    return struct.pack(">I", 8 + len(data)) + kind + data


def zero_box(kind, size):
    return struct.pack(">I", 8 + size) + kind, Zeros(size)


@bomb
def avif_late_box(size):
    return [saved("AVIF"), *zero_box(b"free", size)]


@bomb
def avif_empty_boxes(size):
    return [saved("AVIF"), repeated(box(b"free", b""), size)]


@bomb
def avif_items(size):
    data = saved("AVIF")
    at = data.index(b"iinf")
    end = at - 4 + int.from_bytes(data[at - 4 : at], "big")
    entry = b"\0\0\0\x15infe\2\0\0\0%s\0\0av01\0"
    count = min(65_000, size // 21)
    items = b"".join(entry % struct.pack(">H", index + 1) for index in range(2, count))
    iinf = data[at + 4 : end]
    iinf = iinf[:4] + struct.pack(">H", int.from_bytes(iinf[4:6], "big") + count - 2) + iinf[6:] + items
    meta = data.index(b"meta")
    grown = bytearray(data[: at - 4] + box(b"iinf", iinf) + data[end:])
    grown[meta - 4 : meta] = struct.pack(">I", int.from_bytes(data[meta - 4 : meta], "big") + len(items))
    return [bytes(grown)]


@bomb
def avif_boxes_in_boxes(size):
    tracks = repeated(box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", b"") * 100) * 4) * 4), min(size, 2**24))
    return [saved("AVIF"), box(b"moov", tracks)]


@bomb
def avif_extents(size):
    """65 535 for each item, which take no bytes."""
    data = saved("AVIF")
    at, meta = data.index(b"iloc"), data.index(b"meta")
    end = at - 4 + int.from_bytes(data[at - 4 : at], "big")
    count = min(4000, size // 6)
    iloc = box(b"iloc", bytes(6) + struct.pack(">H", count) + struct.pack(">HHH", 1, 0, 65_535) * count)
    grown = bytearray(data[: at - 4] + iloc + data[end:])
    grown[meta - 4 : meta] = struct.pack(">I", int.from_bytes(data[meta - 4 : meta], "big") + len(grown) - len(data))
    return [bytes(grown)]


@bomb
def avif_size_lie(size):
    """A large picture of one colour that says it is small."""
    side = int((size * 8) ** 0.5) // 2 * 2
    stream = io.BytesIO()
    Image.new("L", (side, side), 99).save(stream, "AVIF", speed=10)
    data = stream.getvalue()
    at = data.index(b"ispe")
    return [data[: at + 8], struct.pack(">II", 16, 16), data[at + 16 :]]


def codestream(width, height, tile, *, code=(0, 1, 0, 0, 4, 4), precincts=b"", components=1):
    """The main header of JPEG 2000: `code` are progression, layers, transform, levels, exponents of code blocks - 2."""
    siz = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, *tile, 0, 0, components) + b"\7\1\1" * components
    progression, layers, transform, levels, across, down = code
    cod = struct.pack(">BBHBBBBBB", bool(precincts), progression, layers, transform, levels, across, down, 0, 1)
    qcd = b"\x40" + b"\x40" * (1 + 3 * levels)
    return (
        b"\xff\x4f"
        + segment(0x51, siz)
        + segment(0x52, cod + precincts)
        + segment(0x5C, qcd)
        + segment(0x90, struct.pack(">HIBB", 0, 0, 0, 1))
        + b"\xff\x93"
        + bytes(8)
        + b"\xff\xd9"
    )


def jp2h(width, height, components, space):
    header = struct.pack(">IIHBBBB", height, width, components, 7, 7, 0, 0)
    return box(b"jp2h", box(b"ihdr", header) + box(b"colr", b"\1\0\0" + struct.pack(">I", space)))


@bomb
def j2k_tiles(size):
    side = min(255, int((size / 1000) ** 0.5))
    return [codestream(side, side, (1, 1))]


@bomb
def j2k_precincts(size):
    side = int((size / 50) ** 0.5)
    return [codestream(side, side, (side, side), precincts=b"\0")]


@bomb
def j2k_code_blocks(size):
    side = int((size / 2) ** 0.5)
    return [codestream(side, side, (side, side), code=(0, 1, 0, 0, 0, 0))]


@bomb
def j2k_layers(size):
    side = 1024
    return [codestream(side, side, (side, side), code=(0, 65_535, 0, 5, 4, 4), precincts=b"\x66" * 6)]


@bomb
def j2k_packets(size):
    """None of which is there."""
    tiles, empty = min(64, size // 2000), bytes(2000)
    data = codestream(8 * 32, 8 * 32, (32, 32), code=(0, 65_535, 0, 32, 4, 4), components=3)
    at = data.index(b"\xff\x90")
    parts = [segment(0x90, struct.pack(">HIBB", tile, 14 + 2000, 0, 1)) + b"\xff\x93" + empty for tile in range(tiles)]
    return [data[:at], *parts, b"\xff\xd9"]


@bomb
def j2k_components(size):
    data = codestream(64, 64, (64, 64), components=16_384)
    header = box(b"ihdr", struct.pack(">IIHBBBB", 64, 64, 3, 7, 7, 0, 0)) + box(
        b"colr", b"\1\0\0" + struct.pack(">I", 16)
    )
    return [saved("JPEG2000")[:32], box(b"jp2h", header), box(b"jp2c", data)]


@bomb
def j2k_size_lie(size):
    side = int(size**0.5)
    header = box(b"ihdr", struct.pack(">IIHBBBB", 64, 64, 1, 7, 7, 0, 0)) + box(
        b"colr", b"\1\0\0" + struct.pack(">I", 17)
    )
    return [saved("JPEG2000")[:32], box(b"jp2h", header), box(b"jp2c", codestream(side, side, (side, side)))]


@bomb
def jp2_header(size):
    data = saved("JPEG2000")
    at = data.index(b"jp2h")
    old = int.from_bytes(data[at - 4 : at], "big")
    inner = data[at + 4 : at - 4 + old]
    return [
        data[: at - 4],
        struct.pack(">I", old + 8 + size),
        b"jp2h",
        inner,
        *zero_box(b"free", size),
        data[at - 4 + old :],
    ]


@bomb
def jp2_empty_boxes(size):
    data = saved("JPEG2000")
    return [data[:32], repeated(box(b"free", b""), size), data[32:]]


@bomb
def jp2_comments(size):
    data = saved("JPEG2000", no_jp2=True)
    at = data.index(b"\xff\x52")
    return [data[:at], repeated(segment(0x63, b"\0"), size), data[at:]]


# JPEG XL, of which a picture of 8x8, and 64 MiB of zeros as Brotli has them

SMALL_JXL = bytes.fromhex("ff0a414024080401003c004b188b15801dd4ff0018d0af9a1801")
BROTLI_ZEROS = bytes.fromhex(
    "cbffff3f002400e2b14072effff8ffff078004401c1680eefd1fffffff00900088c302d0bdffe3ffff1f001200715800baf77ffcffff0340"
    "02200e0b40f7fe8fffff7f004800c46101e8defff1ffff0f000980382c00ddfbbffcfff7032001108705a07bef07"
)


@bomb
def jxl_compressed_record(size):
    parts = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl "), (b"brob", b"xml " + BROTLI_ZEROS)]
    return [box(*part) for part in [*parts, (b"jxlc", SMALL_JXL)]]


# The rest


@bomb
def bmp_header(size):
    return [b"BM" + bytes(8) + number(14 + size), number(size), Zeros(size)]


@bomb
def bmp_ends_of_lines(size):
    header = struct.pack("<IiiHHIIiiII", 40, 64, 64, 1, 8, 1, size, 0, 0, 256, 0)
    return [b"BM" + bytes(8) + number(14 + 40 + 1024) + header + bytes(1024), Zeros(size), b"\0\1"]


@bomb
def ico_entries(size):
    png = saved("PNG")
    count = min(65_535, size // 16)
    entry = struct.pack("<BBBBHHII", 24, 16, 0, 0, 1, 32, len(png), 6 + 16 * count)
    return [b"\0\0\1\0" + struct.pack("<H", count) + entry * count, png]


def ico_of(data):
    return [b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 24, 16, 0, 0, 1, 32, len(data), 22), data]


@bomb
def ico_compressed_texts(size):
    return ico_of(b"".join(png_compressed_texts(size)))


@bomb
def ico_unknown_chunk(size):
    start, *parts = BOMBS["png-unknown_chunk"](size)
    return [*ico_of(start), *parts]


def behind_the_end_bomb(image_format):
    @bomb_named(f"{image_format.lower()}-behind_the_end")
    def parts(size):
        return [saved(image_format), Zeros(size)]


for written in ("WEBP", "TGA", "QOI"):
    behind_the_end_bomb(written)
