"""CMYK, which becomes sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from scales_cli.imaging.picture import Pixels
from scales_cli.imaging.readers.samples import Rows, crop


def open_rows(image: Image.Image, profile: bytes | None) -> tuple[Rows, str]:
    """The rows of a loaded image, converted by its own profile if it is usable, and a note that says how."""
    from PIL import ImageCms

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

            return converted, "CMYK was converted to sRGB by the picture's colour profile"

    def estimated(top: int, bottom: int) -> Pixels:
        return np.asarray(crop(image, top, bottom).convert("RGB"))

    return estimated, "CMYK without a usable colour profile was converted to RGB by rule of thumb"
