"""What the user decides about the files that are written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from scales_cli.errors import UsageError
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout


class Metadata(StrEnum):
    """Of EXIF and XMP: what is harmless, all that still holds, or nothing. Colour profiles are part of the picture."""

    SAFE = "safe"
    KEEP = "keep"
    NONE = "none"


@dataclass(frozen=True)
class OutputOptions:
    """`format` None is the output's extension, or the input's format where it can hold the result, else PNG.

    `quality` (1..100) is that of JPEG, and of WebP, which is with loss then; without it JPEG has 95 and WebP no loss,
    unless the input was a WebP with loss. A `background` replaces transparency, which formats without it get in white.
    `all_frames` enlarges animations whole.
    """

    format: ImageFormat | None = None
    quality: int | None = None
    lossless: bool = False
    background: tuple[int, int, int] | None = None
    metadata: Metadata = Metadata.SAFE
    all_frames: bool = False

    def __post_init__(self) -> None:
        if self.quality is not None and self.lossless:
            raise UsageError("a quality and --lossless exclude each other", "give one of them")

    def applied(self, layout: Layout) -> Layout:
        """The layout as it is to be written."""
        return dataclasses.replace(
            layout, lossless=layout.lossless or self.lossless, quality=self.quality, background=self.background
        )


DEFAULTS = OutputOptions()
