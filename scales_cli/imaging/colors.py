"""What a file says of its colors, in whatever way its format has for that."""

from __future__ import annotations

from typing import BinaryIO

from PIL import Image

from scales_cli.imaging.containers.jpeg2000 import read_jpeg2000

MAX_PROFILE_BYTES = 16 * 2**20

_SRGB = (0.45455, 0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # gamma; white, red, green, blue, as in PNG
_PROFILE_SPACES = {1: b"GRAY", 2: b"GRAY", 3: b"RGB ", 4: b"RGB "}


def read_profile(stream: BinaryIO, image: Image.Image) -> bytes | None:
    profile = read_jpeg2000(stream).profile if image.format == "JPEG2000" else image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and 0 < len(profile) <= MAX_PROFILE_BYTES else None


def lost_colors(image: Image.Image) -> str | None:
    """A note if a PNG without a profile says that its colours are others than sRGB, which is not kept."""
    if "srgb" in image.info or "icc_profile" in image.info:
        return None
    stated = (image.info.get("gamma", _SRGB[0]), *image.info.get("chromaticity", _SRGB[1:]))
    if all(abs(value - usual) < 0.01 for value, usual in zip(stated, _SRGB, strict=False)):  # of a damaged chunk, too
        return None
    return "its gamma or primary colours, which are not those of sRGB, were left out: only profiles are kept"


def profile_fits(profile: bytes, channels: int) -> bool:
    """Whether a profile is one at all and describes pixels of this many channels."""
    return profile[36:40] == b"acsp" and profile[16:20] == _PROFILE_SPACES[channels]
