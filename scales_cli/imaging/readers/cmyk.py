"""CMYK, which becomes sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from PIL.ExifTags import Base as Tag

from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers.samples import Rows, crop, tags_of


def open_rows(image: Image.Image, profile: bytes | None) -> tuple[Rows, str]:
    """The rows of a loaded image, converted by its own profile if it is usable, and a note that says how."""
    from PIL import ImageCms

    lost = " of 8 bits, which its 16 became" if 16 in tags_of(image).get(Tag.BitsPerSample, ()) else ""

    if profile is not None and profile[16:20] == b"CMYK":
        try:
            transform = ImageCms.buildTransform(
                ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), "CMYK", "RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
        else:

            def converted(top: int, bottom: int) -> Pixels:
                return np.asarray(ImageCms.applyTransform(crop(image, top, bottom), transform))

            return converted, f"CMYK was converted to sRGB{lost} by the picture's colour profile"

    def estimated(top: int, bottom: int) -> Pixels:
        return np.asarray(crop(image, top, bottom).convert("RGB"))

    return estimated, f"CMYK without a usable colour profile was converted to RGB{lost} by rule of thumb"
