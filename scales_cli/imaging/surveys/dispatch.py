"""The survey of a file of any format, which is known by how it begins."""

from __future__ import annotations

from typing import BinaryIO

from scales_cli.imaging.containers.png import SIGNATURE
from scales_cli.imaging.surveys.ico import survey_ico
from scales_cli.imaging.surveys.jpeg import survey_jpeg
from scales_cli.imaging.surveys.png import survey_png
from scales_cli.imaging.surveys.survey import Survey

_KNOWN = (
    (SIGNATURE, survey_png),
    (b"\xff\xd8\xff", survey_jpeg),
    (b"\0\0\1\0", survey_ico),
)


def survey_file(stream: BinaryIO) -> Survey:
    """Raises `InputError` if the file holds more of something than it may. The survey's stream is at its beginning."""
    stream.seek(0)
    start = stream.read(16)
    survey = next((take(stream) for prefix, take in _KNOWN if start.startswith(prefix)), Survey(stream=stream))
    survey.stream.seek(0)
    return survey
