"""Boxes, as AVIF, JPEG 2000 and JPEG XL have them."""

from bombs.collection import Zeros, big

FREE = big(8) + b"free"  # an empty one


def box(kind, *parts):
    data = b"".join(parts)
    return big(8 + len(data)) + kind + data


def zero_box(kind, size):
    return big(8 + size) + kind, Zeros(size)


def box_at(data, kind):
    """From where to where the first box of a kind is."""
    at = data.index(kind) - 4
    return at, at + int.from_bytes(data[at : at + 4], "big")
