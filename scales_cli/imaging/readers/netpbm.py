"""Netpbm's samples, which lie in the file as they are."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers.samples import Rows, Samples, stretch


def open_rows(stream: BinaryIO, image: Image.Image, samples: Samples) -> Rows:
    """The rows of an image that is not loaded, read on demand.

    The file is not mapped: a mapped one that shrinks meanwhile ends the process.
    """
    width, height = image.size
    offset = image.tile[0].offset  # type: ignore[attr-defined]
    dtype = samples.dtype.newbyteorder(">")
    row_bytes = width * samples.channels * dtype.itemsize

    def rows(top: int, bottom: int) -> Pixels:
        stream.seek(offset + top * row_bytes)
        data = stream.read((bottom - top) * row_bytes)
        if len(data) != (bottom - top) * row_bytes:
            raise InputError("the picture is truncated", "get the file again")
        return stretch(
            np.frombuffer(data, dtype).reshape(bottom - top, width, samples.channels), samples.maximum, samples.dtype
        )

    if stream.seek(0, os.SEEK_END) < offset + height * row_bytes:
        raise InputError("the picture is truncated", "get the file again")
    return rows
