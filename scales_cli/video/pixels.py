"""FFmpeg's pixel formats: which samples are read as they are, and what others become."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from scales_cli.video.frame import PixelFormat

# Samples as they are; others are rearranged or converted.
_KNOWN: dict[str, tuple[tuple[int, int] | None, int, bool]] = {"gray": (None, 8, False)}
for _family, _shared in {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1)}.items():
    _KNOWN[f"yuv{_family}p"] = (_shared, 8, False)
    _KNOWN[f"yuvj{_family}p"] = (_shared, 8, True)
for _depth in (9, 10, 12, 14, 16):
    _KNOWN[f"gray{_depth}le"] = (None, _depth, False)
    for _family, _shared in {"420": (2, 2), "422": (2, 1), "444": (1, 1)}.items():
        _KNOWN[f"yuv{_family}p{_depth}le"] = (_shared, _depth, False)
_REARRANGED = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "p010le": "yuv420p10le",
    "ya8": "gray",
    "ya16le": "gray16le",
}
_CONVERTED_DEPTHS = (8, 10, 12)  # more, no usual encoder has
# Codecs whose chroma lies between luma samples, not on the left ones; PyAV does not tell what a file says of it.
_CENTRED = ("mjpeg", "mjpegb", "ljpeg", "jpegls", "amv", "mpeg1video", "h261", "h263", "flv1")
_TRANSPARENT_BESIDE = ("vp8", "vp9")  # whose transparency is a picture of its own, which is not decoded

TRANSPARENCY_LEFT_OUT = "its transparency was left out"

# FFmpeg's numbers. Players take what is higher than DVDs to be of BT.709, and so is it made here.
_UNKNOWN, _BT709, _SMPTE170M = 2, 1, 6
_LIMITED, _FULL = 1, 2
_SWS_BT709, _SWS_BT601 = 1, 5
_MOST_ROWS_OF_BT601 = 576


@dataclass(frozen=True)
class Colors:
    """What the samples' colors are, in FFmpeg's numbers, which are passed on."""

    space: int
    primaries: int
    transfer: int
    range: int


@dataclass(frozen=True)
class Reading:
    """How frames of a pixel format are read: as those of the format `name`, which have these `colors`."""

    name: str
    colors: Colors
    notes: tuple[str, ...] = ()
    is_rgb: bool = False

    @classmethod
    def of(cls, frame: Any) -> Reading:
        kind, name = frame.format, frame.format.name
        colors = Colors(*map(int, (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)))
        if name in _KNOWN:
            return cls(name, colors)
        is_transparent = any(part.is_alpha for part in kind.components)
        notes = (TRANSPARENCY_LEFT_OUT,) if is_transparent else ()
        same = _REARRANGED.get(name, name.replace("yuva", "yuv"))
        if same.endswith("be"):
            same = same.removesuffix("be") + "le"
        if same in _KNOWN:
            return cls(same, colors, notes)
        wanted = max(part.bits for part in kind.components)
        depth = next((depth for depth in _CONVERTED_DEPTHS if depth >= wanted), _CONVERTED_DEPTHS[-1])
        bits = f" of {depth} bits" if depth != wanted or depth > 8 else ""
        notes = (f"its pixels ({name}) were converted to YCbCr 4:4:4{bits}", *notes)
        is_rgb = kind.is_rgb or kind.has_palette or name.startswith("xyz")
        if is_rgb:
            space = _BT709 if frame.height > _MOST_ROWS_OF_BT601 else _SMPTE170M
            # Without a word, those of RGB are of BT.709, and those of SMPTE 170M are not.
            primaries = _BT709 if colors.primaries == _UNKNOWN else colors.primaries
            colors = replace(colors, space=space, primaries=primaries, range=_LIMITED)
        return cls("yuv444p" if depth == 8 else f"yuv444p{depth}le", colors, notes, is_rgb)

    def read(self, frame: Any) -> Any:
        if frame.format.name == self.name:
            return frame
        if not self.is_rgb:
            return frame.reformat(format=self.name)
        matrix = _SWS_BT709 if self.colors.space == _BT709 else _SWS_BT601
        return frame.reformat(
            format=self.name, dst_colorspace=matrix, src_color_range=_FULL, dst_color_range=self.colors.range
        )

    def pixels(self, codec: str) -> PixelFormat:
        shared, depth, is_full = _KNOWN[self.name]
        return PixelFormat(
            subsampling=shared,
            depth=depth,
            full_range=is_full or self.colors.range == _FULL,
            left=shared is not None and shared != (1, 1) and codec not in _CENTRED,
        )


def pixel_name(pixels: PixelFormat) -> str:
    """FFmpeg's name of samples that are like these but for their range and place."""
    kinds = ((name, kind) for name, kind in _KNOWN.items() if not kind[2])
    return next(name for name, kind in kinds if kind[:2] == (pixels.subsampling, pixels.depth))


def is_transparent_beside(stream: Any) -> bool:
    """Whether a stream has transparency that its decoder says nothing of."""
    tags = {name.lower(): text for name, text in stream.metadata.items()}
    return stream.codec_context.codec.canonical_name in _TRANSPARENT_BESIDE and tags.get("alpha_mode") == "1"
