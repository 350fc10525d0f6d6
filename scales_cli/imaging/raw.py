"""Cameras' raw files, which are not pictures yet: many are TIFF files whose first picture is a thumbnail."""

from __future__ import annotations

from typing import BinaryIO

from scales_cli.errors import InputError
from scales_cli.imaging.containers.tiff import read_directories

_COLOR_FILTER_ARRAY, _LINEAR_RAW = 32803, 34892  # photometric interpretations
_COMPRESSIONS = frozenset({32767, 32769, 32770, 32867, 34713, 65000, 65535})  # of Sony, Epson, Samsung, Kodak, Nikon

_SIGNATURES = {
    "CR2": (8, b"CR\2\0"),
    "CR3": (4, b"ftypcrx "),
    "CRW": (6, b"HEAPCCDR"),
    "ORF": (0, b"IIRO"), "ORF (II)": (0, b"IIRS"), "ORF (MM)": (0, b"MMOR"),
    "RW2": (0, b"IIU\0"),
    "RAF": (0, b"FUJIFILMCCD-RAW"),
    "MRW": (0, b"\0MRM"),
    "X3F": (0, b"FOVb"),
    "IIQ": (8, b"IIII"), "IIQ (MM)": (8, b"MMMM"),
}  # fmt: skip
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def check_developed(stream: BinaryIO) -> None:
    """Raises `InputError` if a file is a camera's raw file; leaves the stream at its beginning."""
    stream.seek(0)
    start = stream.read(32)
    kind = next((name for name, (at, signature) in _SIGNATURES.items() if start.startswith(signature, at)), None)
    if kind is None and start.startswith(_TIFF):
        directories = list(read_directories(stream))
        if any(directory.is_dng for directory in directories):
            kind = "DNG"
        elif any(
            directory.photometry in (_COLOR_FILTER_ARRAY, _LINEAR_RAW) or directory.compression in _COMPRESSIONS
            for directory in directories
        ):
            kind = "TIFF with a sensor's data"
    stream.seek(0)
    if kind is not None:
        raise InputError(
            f"a camera raw ({kind.split(' (')[0]}): develop it first",
            "to TIFF or PNG, with darktable, RawTherapee or the camera's own program",
        )
