import struct

from bombs.boxes import FREE, box, box_at, zero_box
from bombs.collection import add_repeats, big, bombs_of, plain, repeated, saved

bomb = bombs_of("avif")


def avif_where(kind, change):
    """An AVIF with another box of a kind in its `meta`: `change` gives the data for the old."""
    data = saved("AVIF")
    start, end = box_at(data, kind)
    grown = bytearray(data[:start] + box(kind, change(data[start + 8 : end])) + data[end:])
    meta, end = box_at(data, b"meta")
    grown[meta : meta + 4] = big(end - meta + len(grown) - len(data))
    return [bytes(grown)]


add_repeats(bomb, lambda boxes: [saved("AVIF"), boxes], empty_boxes=FREE)


@bomb
def late_box(size):
    return [saved("AVIF"), *zero_box(b"free", size)]


@bomb
def items(size):
    count = min(65_000, size // 21)
    entry = b"\0\0\0\x15infe\2\0\0\0%s\0\0av01\0"
    more = b"".join(entry % struct.pack(">H", index + 1) for index in range(2, count))

    def grown(items):
        known = int.from_bytes(items[4:6], "big")
        return items[:4] + struct.pack(">H", known + count - 2) + items[6:] + more

    return avif_where(b"iinf", grown)


@bomb
def boxes_in_boxes(size):
    media = box(b"mdia", box(b"minf", box(b"stbl") * 100) * 4)
    return [saved("AVIF"), box(b"moov", repeated(box(b"trak", media * 4), min(size, 2**24)))]


@bomb
def extents(size):
    """65 535 for each item, which take no bytes."""
    count = min(4000, size // 6)
    places = bytes(6) + struct.pack(">H", count) + struct.pack(">HHH", 1, 0, 65_535) * count
    return avif_where(b"iloc", lambda _: places)


@bomb
def size_lie(size):
    """A large picture of one colour that says it is small."""
    data = plain(int((size * 8) ** 0.5) // 2 * 2, "AVIF", speed=10)
    at = data.index(b"ispe")
    return [data[: at + 8], struct.pack(">II", 16, 16), data[at + 16 :]]
