"""What a file is that is not read, by its first bytes, and what to do about it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO, NoReturn

from PIL.ExifTags import Base as Tag

from scales_cli.errors import InputError
from scales_cli.imaging.containers import jpeg
from scales_cli.imaging.formats import READABLE
from scales_cli.imaging.tiff_directory import DirectoryReader

_START_BYTES = 1024

_SAVE = "save it as PNG, JPEG or TIFF with the program that made it"
_CONVERT = "convert it to PNG first"
_DRAW = "draw it as a PNG of the size you need, which loses nothing"
_TAKE_OUT = "take a picture out of it first"
_UNPACK = "unpack it first"
_VIDEO = ("a video", "`scales video` enlarges those")
_LOAD_AGAIN = "download it again: the server sent this instead of a picture"

_AGAIN = "get the file again"

_MARKUP = rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*"  # before what says of which kind it is

# How files of the formats begin that are read.
_FORMATS: tuple[tuple[bytes, str], ...] = (
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"\xff\xd8", "JPEG"),
    (rb"GIF8[79]a", "GIF"),
    (rb"RIFF....WEBP", "WebP"),
    (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"P[1-6]\s", "PPM"),
    (rb"....ftypavi[fs]", "AVIF"),
    (rb"\0\0\0\x0cjP|\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"qoif", "QOI"),
    (rb"\0\0\x01\0", "ICO"),
)

# A pattern for the start of the file, what it is, and what helps. The first that matches counts.
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x89PNG\r?\n\x1a?\n|(?:\xef\xbf\xbd)+(?:PNG|\x10JFIF)", "a picture that was copied as text", _AGAIN),
    (rb"data:image/|iVBORw0KGgo|/9j/4", "a picture as base64 text", "decode it, for example with `base64 -d`"),
    (rb"....ftyp", *_VIDEO),
    (rb"RIFF....AVI ", *_VIDEO),
    (rb"\x1aE\xdf\xa3", *_VIDEO),
    (rb"YUV4MPEG2 ", *_VIDEO),
    (rb"II\xbc[\0\x01]", "JPEG XR", _CONVERT),
    (rb"8BPS", "a Photoshop document", _SAVE),
    (rb"gimp xcf", "a GIMP document", _SAVE),
    (rb"PK\x03\x04.{26}mimetypeapplication/x-krita", "a Krita document", _SAVE),
    (rb"PK\x03\x04.{26}mimetypeimage/openraster", "an OpenRaster document", _SAVE),
    (rb"PK\x03\x04|PK\x05\x06", "a ZIP archive", _UNPACK),
    (rb"\x1f\x8b|BZh|\xfd7zXZ\0|7z\xbc\xaf|Rar!|\x28\xb5\x2f\xfd", "a compressed archive", _UNPACK),
    (rb"%PDF-", "a PDF document", "draw its pages first, for example with `pdftoppm -png`"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "PostScript", _DRAW),
    (_MARKUP + rb"(?:<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]", "SVG, a drawing", _DRAW),
    (_MARKUP + rb"<(?:!doctype html|html|head|body|meta|title|script|center|div|h1|p)\b", "an HTML page", _LOAD_AGAIN),
    (rb"\s*[{\[]\s*[\"{\]}]", "JSON", _LOAD_AGAIN),
    (rb"\s*<\?xml", "XML", _LOAD_AGAIN),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the picture", "fetch the picture with `git lfs pull`"),
    (rb"v/1\x01", "OpenEXR, a picture of high dynamic range", "map its tones to 16 bits first"),
    (rb"#\?(?:RADIANCE|RGBE)", "Radiance HDR, a picture of high dynamic range", "map its tones to 16 bits first"),
    (rb"P[Ff]\s", "PFM, a picture of floating-point numbers", "map its tones to 16 bits first"),
    (rb"P7\s", "PAM", "convert it to PPM or PNG first"),
    (rb"DDS ", "DDS, a texture", _CONVERT),
    (rb"AT&TFORM", "DjVu", "draw its pages first, for example with `ddjvu -format=tiff`"),
    (rb"SIMPLE  =", "FITS, astronomical data", "stretch it to 16 bits first"),
    (rb".{128}DICM", "DICOM, a medical picture", "convert it to 16-bit PNG first"),
    (rb"icns", "Apple icons", _TAKE_OUT),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a Windows metafile, a drawing", _DRAW),
    (rb"BPG\xfb|FLIF", "a picture in a rare format", _CONVERT),
    (rb"\x0a[\0-\x05]\x01[\x01\x02\x04\x08]", "PCX", _CONVERT),
    (rb"\0+\Z", "only zeros", "get it again: it was not written to its end"),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL | re.IGNORECASE), what, hint) for pattern, what, hint in _KINDS)
_TEXT_CODES = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_JPEG_LS = 0xF7

_SAMPLE_FORMATS = {2: "signed integer", 3: "floating-point", 5: "complex integer", 6: "complex"}
_COMPRESSIONS = {
    **{34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 34887: "LERC", 34892: "lossy DNG", 34933: "PNG"},
    **{34934: "JPEG XR", 22610: "JPEG XR", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL", 32809: "ThunderScan"},
}
_TAGS = frozenset(
    {
        *(Tag.ImageWidth, Tag.BitsPerSample, Tag.SampleFormat, Tag.SamplesPerPixel, Tag.Compression),
        Tag.PhotometricInterpretation,
    }
)
_TO_16_BITS = "convert it to 8 or 16 bits a channel"


def refuse(stream: BinaryIO) -> NoReturn:
    """Raises an `InputError` that says what a file is which no decoder knows."""
    stream.seek(0)
    start = stream.read(_START_BYTES)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        with suppress(ValueError):
            _check_tiff(stream)
    if start.startswith(b"\xff\xd8"):
        _check_jpeg(stream)
    for beginning, name in _FORMATS:
        if re.match(beginning, start, re.DOTALL):
            raise InputError(f"it begins as {name} does, but is truncated or damaged", _AGAIN)
    for mark, code in _TEXT_CODES.items():
        if start.startswith(mark):
            start = start.decode(code, "ignore").encode()
    for pattern, what, hint in _PATTERNS:
        if pattern.match(start):
            raise InputError(f"not a picture of a supported kind: it is {what}", hint)
    if _is_text(start):
        raise InputError("not a picture: it is text", "check how it was made")
    raise InputError("not a picture of a supported kind, or a damaged one", f"give {READABLE}")


def _is_text(start: bytes) -> bool:
    """Whether bytes, which may end amid a letter, are UTF-8, or ASCII for the most part."""
    if re.search(rb"[\0-\x08\x0b\x0e-\x1f\x7f]", start):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return 2 * sum(byte < 0x80 for byte in start) > len(start)
    return True


def _check_jpeg(stream: BinaryIO) -> None:
    """Raises `InputError` for what the frame of a JPEG says, if that is why it is not read."""
    for segment in jpeg.read_segments(stream):
        if segment.marker == _JPEG_LS:
            raise InputError("JPEG-LS is not supported", _CONVERT)
        if segment.marker in jpeg.FRAMES:
            bits, *_, channels = jpeg.read_segment(stream, segment, 6).ljust(6, b"\0")
            if bits not in (0, 8):
                raise InputError(f"JPEG of {bits} bits a sample is not supported", _TO_16_BITS)
            if channels not in (0, 1, 3, 4):
                raise InputError(f"JPEG of {channels} channels is not supported", "save three of them as RGB")
        if segment.marker in (*jpeg.FRAMES, jpeg.SOS):
            return


def check_tiff(sample_formats: Iterable[int], compression: int) -> None:
    """Raises `InputError` for samples that are none of the unsigned integers which pictures have, and rare codecs."""
    for number in sample_formats:
        if number in _SAMPLE_FORMATS:
            raise InputError(f"pictures of {_SAMPLE_FORMATS[number]} samples are not supported", _TO_16_BITS)
    if compression in _COMPRESSIONS:
        raise InputError(f"TIFF with {_COMPRESSIONS[compression]} inside is not supported", "save it with LZW")


def _check_tiff(stream: BinaryIO) -> None:
    """Raises `InputError` for what the first directory of a TIFF file says, `ValueError` if it is damaged."""
    reader = DirectoryReader(stream, 2**16)
    values = {tag: reader.numbers(entry) for tag, entry in reader.entries(reader.first, only=_TAGS).items()}
    if reader.damaged or Tag.ImageWidth not in values:
        return
    bits, channels, compression, photometry = (
        values.get(tag, (1,))[0]
        for tag in (Tag.BitsPerSample, Tag.SamplesPerPixel, Tag.Compression, Tag.PhotometricInterpretation)
    )
    check_tiff(values.get(Tag.SampleFormat, ()), compression)
    if bits not in (1, 2, 4, 8, 16):
        raise InputError(f"TIFF of {bits} bits a sample is not supported", _TO_16_BITS)
    if channels > 4:
        raise InputError(f"TIFF of {channels} samples a pixel is not supported", "save three of them as RGB")
    if reader.order == ">" and reader.is_big:
        raise InputError("BigTIFF in big-endian order is not supported", "save it as TIFF, or little-endian")
    described = f"{channels} samples of {bits} bits, photometric interpretation {photometry}"
    raise InputError(f"this kind of TIFF is not supported: {described}", "save it as grey or RGB of 8 or 16 bits")
