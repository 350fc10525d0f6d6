"""What bombs are made of, and where all of them are found."""

import functools
import io
import struct
import zlib

import numpy as np
from PIL import Image

BOMBS = {}


class Zeros(int):
    """As many zeros."""


def bombs_of(extension):
    """What takes functions of a size: each gives the parts of a file in which as many bytes are of no use."""

    def add(function, name=None):
        name = f"{extension}-{name or function.__name__}"
        assert name not in BOMBS
        BOMBS[name] = function
        return function

    return add


def add_table(bomb, function, table):
    """A bomb for each name: `function(size, *arguments)`."""
    for name, arguments in table.items():
        bomb(functools.partial(_call, function, arguments), name)


def _call(function, arguments, size):
    return function(size, *arguments)


def add_repeats(bomb, around, **parts):
    """A bomb for each name: its part again and again, where `around` puts it into a file."""
    add_table(bomb, lambda size, part: around(repeated(part, size)), {name: (part,) for name, part in parts.items()})


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
    return encoded(image, image_format, **options)


def plain(side, image_format, **options):
    """A square of one grey, which takes few bytes."""
    return encoded(Image.new("L", (side, side), 99), image_format, **options)


def encoded(image, image_format, **options):
    stream = io.BytesIO()
    image.save(stream, image_format, **options)
    return stream.getvalue()


def repeated(data, size):
    return data * max(1, size // len(data))


@functools.cache
def deflated_zeros():
    """16 MiB but for a little."""
    return zlib.compress(bytes(2**24 - 2**10), 9)


def little(value):
    return struct.pack("<I", value)


def big(value):
    return struct.pack(">I", value)
