"""The survey of a file of any format, which is known by how it begins."""

from __future__ import annotations

from typing import BinaryIO

from scales_cli.imaging.containers.avif import AVIF_BRANDS, HEIF_BRANDS
from scales_cli.imaging.containers.png import SIGNATURE
from scales_cli.imaging.surveys.avif import survey_avif
from scales_cli.imaging.surveys.bitmaps import DIB_HEADER_BYTES, survey_bmp, survey_dib, survey_icon
from scales_cli.imaging.surveys.gif import survey_gif
from scales_cli.imaging.surveys.jpeg import survey_jpeg
from scales_cli.imaging.surveys.jpeg2000 import survey_jpeg2000
from scales_cli.imaging.surveys.netpbm import survey_netpbm
from scales_cli.imaging.surveys.png import survey_png
from scales_cli.imaging.surveys.survey import Survey
from scales_cli.imaging.surveys.tiff import survey_tiff
from scales_cli.imaging.surveys.webp import survey_webp

_KNOWN = (
    (SIGNATURE, survey_png),
    (b"\xff\xd8\xff", survey_jpeg),
    (b"II*\0", survey_tiff),
    (b"MM\0*", survey_tiff),
    (b"MM*\0", survey_tiff),
    (b"II\0*", survey_tiff),
    (b"II+\0", survey_tiff),
    (b"MM\0+", survey_tiff),
    (b"GIF8", survey_gif),
    (b"P", survey_netpbm),
    (b"BM", survey_bmp),
    (b"\0\0\1\0", survey_icon),
    (b"\xff\x4f\xff\x51", survey_jpeg2000),
    (b"\0\0\0\x0cjP", survey_jpeg2000),
    *((bytes((size, 0, 0, 0)), survey_dib) for size in DIB_HEADER_BYTES),
)


def survey_file(stream: BinaryIO) -> Survey:
    """Raises `InputError` if the file holds more of something than it may. The survey's stream is at its beginning."""
    stream.seek(0)
    start = stream.read(16)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        survey = survey_webp(stream)
    elif start[4:8] == b"ftyp" and start[8:12] in AVIF_BRANDS + HEIF_BRANDS:
        survey = survey_avif(stream)
    else:
        survey = next((take(stream) for prefix, take in _KNOWN if start.startswith(prefix)), Survey(stream=stream))
    survey.stream.seek(0)
    return survey
