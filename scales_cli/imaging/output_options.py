"""What the user decides about the files that are written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from scales_cli.arguments import check_whole
from scales_cli.errors import UsageError
from scales_cli.imaging.file_names import NameTemplate
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout


class Metadata(StrEnum):
    """What is kept of EXIF and XMP: the harmless, all that still holds, or nothing. Colour profiles always are."""

    SAFE = "safe"
    KEEP = "keep"
    NONE = "none"


@dataclass(frozen=True)
class OutputOptions:
    """How results are written. Without a `format` the output's extension says it, else the input's, else it is PNG.

    `quality` (1..100) is for JPEG, and for WebP, which then has loss. Without it JPEG has 95, and WebP has no loss
    unless the input was a WebP with loss. A `background` replaces transparency; formats without it get white.
    `all_frames` enlarges animations whole. `name` is for results in folders; None is "{stem}_x4{ext}", or as the size.
    With `keep_times` they have their inputs' modification times. `salvage` enlarges what is left of cut pictures.
    """

    format: ImageFormat | None = None
    quality: int | None = None
    lossless: bool = False
    background: tuple[int, int, int] | None = None
    metadata: Metadata = Metadata.SAFE
    all_frames: bool = False
    name: NameTemplate | None = None
    keep_times: bool = False
    salvage: bool = False

    def __post_init__(self) -> None:
        check_whole("quality", self.quality, 1, 100)
        if self.quality is not None and self.lossless:
            raise UsageError("a quality and --lossless exclude each other", "give one of them")
        if self.format is not None:
            self.check_loss(self.format)

    @classmethod
    def of(
        cls,
        format: str | None,
        quality: int | None,
        lossless: bool,
        background: str | tuple[int, int, int] | None,
        metadata: str,
        frames: str,
        name: str | None = None,
        keep_times: bool = False,
        salvage: bool = False,
    ) -> Self:
        """Options by words of the command line: `png`, `white` or `#ffeedd`, `safe`, `first`. Raises `UsageError`."""
        if metadata not in list(Metadata):
            raise UsageError(f"metadata {metadata!r} is unknown", f"use {', '.join(Metadata)}")
        if frames not in ("first", "all"):
            raise UsageError(f"frames {frames!r} is unknown", "use first or all")
        return cls(
            None if format is None else _format_named(format),
            quality,
            lossless,
            None if background is None else parse_color(background),
            Metadata(metadata),
            all_frames=frames == "all",
            name=None if name is None else NameTemplate(name),
            keep_times=keep_times,
            salvage=salvage,
        )

    def check_loss(self, image_format: ImageFormat) -> None:
        """Raises `UsageError` for a format that always has loss, if there is to be none."""
        if self.lossless and image_format is ImageFormat.JPEG:
            raise UsageError("JPEG is never without loss", "choose PNG, TIFF or WebP, or leave out --lossless")

    def applied(self, layout: Layout) -> Layout:
        """The layout as it is to be written."""
        return dataclasses.replace(
            layout,
            lossless=layout.lossless or self.lossless,
            quality=None if self.quality is None else int(self.quality),  # Pillow takes no other whole numbers
            background=self.background,
        )


def parse_color(color: str | tuple[int, int, int]) -> tuple[int, int, int]:
    """Red, green and blue (0..255), also of a name or notation of CSS. Raises `UsageError`."""
    from PIL import ImageColor

    if not isinstance(color, str):
        red, green, blue = map(int, color)
        return red, green, blue
    try:
        red, green, blue, *alpha = ImageColor.getrgb(color)
    except ValueError as error:
        raise UsageError(f"{color!r} is not a colour such as white or #ffeedd", "name another") from error
    if alpha and alpha[0] != 255:
        raise UsageError(f"{color!r} is transparent itself", "name another")
    return red, green, blue


def _format_named(extension: str) -> ImageFormat:
    known = {suffix[1:]: item for item in ImageFormat if item.writable for suffix in item.extensions}
    extension = extension.lower().removeprefix(".")
    if extension not in known:
        raise UsageError(f"{extension!r} is no format that is written", f"use one of {', '.join(known)}")
    return known[extension]


DEFAULTS = OutputOptions()
