"""Small colour profiles (ICC version 2.4): three primaries and a curve, or a curve for grey."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]  # chromaticities x, y
Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # from coded values to light, both 0..1

D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
_CONNECTION = np.array([0.9642, 1.0, 0.8249])  # XYZ of D50, under which profiles see everything
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_CURVE_POINTS = 1024


@dataclass(frozen=True)
class ColorSpace:
    """RGB by its primaries, its white and its curve: a gamma, or a function."""

    name: str
    red: Point
    green: Point
    blue: Point
    white: Point = D65
    curve: float | Curve = 2.2

    @property
    def is_possible(self) -> bool:
        """Whether there is a white that the primaries can mix."""
        if any(y <= 0 for _, y in (self.red, self.green, self.blue, self.white)):
            return False
        if isinstance(self.curve, float) and not 0.1 <= self.curve <= 10:
            return False
        try:
            return bool((np.abs(_matrix(self)) < 2).all() and (np.abs(np.linalg.det(_matrix(self))) > 1e-4))
        except np.linalg.LinAlgError:
            return False


def srgb_curve(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def bt709_curve(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(value < 0.081, value / 4.5, ((value + 0.099) / 1.099) ** (1 / 0.45))


def romm_curve(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(value < 0.03125, value / 16, value**1.8)


def make_profile(space: ColorSpace, *, grey: bool = False) -> bytes:
    """The profile of a possible color space, or of grey of its curve."""
    described = f"{space.name}, made by scales".encode("ascii", "replace")
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, len(described) + 1) + described + bytes(1 + 8 + 2 + 1 + 67),
        b"cprt": b"text\0\0\0\0No copyright, use freely\0",
        b"wtpt": _xyz(_CONNECTION),
    }
    curve = _curve(space.curve)
    if grey:
        tags[b"kTRC"] = curve
    else:
        columns = (_adaptation(space.white) @ _matrix(space)).T
        tags |= {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
        tags[b"chad"] = b"sf32" + bytes(4) + _fixed(_adaptation(space.white).reshape(-1))
    return _packed(tags, b"GRAY" if grey else b"RGB ")


def _packed(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """A profile of these tags; equal ones are stored once."""
    places: dict[bytes, int] = {}
    start, body, table = 132 + 12 * len(tags), b"", struct.pack(">I", len(tags))
    for name, value in tags.items():
        if value not in places:
            places[value] = start + len(body)
            body += value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", name, places[value], len(value))
    header = struct.pack(">I4xI4s4s4s", start + len(body), 0x02400000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _fixed(_CONNECTION)
    return header.ljust(128, b"\0") + table + body


def _matrix(space: ColorSpace) -> NDArray[np.float64]:
    """Linear RGB to XYZ, whose white has Y = 1."""
    columns = np.stack([_to_xyz(point) for point in (space.red, space.green, space.blue)], axis=1)
    return columns * np.linalg.solve(columns, _to_xyz(space.white))


def _adaptation(white: Point) -> NDArray[np.float64]:
    """XYZ under a white to XYZ under D50, by Bradford's cones."""
    scaled = _BRADFORD @ _CONNECTION / (_BRADFORD @ _to_xyz(white))
    adaptation: NDArray[np.float64] = np.linalg.solve(_BRADFORD, np.diag(scaled) @ _BRADFORD)
    return adaptation


def _to_xyz(point: Point) -> NDArray[np.float64]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _curve(curve: float | Curve) -> bytes:
    if isinstance(curve, float):
        return struct.pack(">4sIIH2x", b"curv", 0, 1, round(curve * 256))
    values = np.rint(65535 * curve(np.linspace(0, 1, _CURVE_POINTS))).astype(">u2")
    return struct.pack(">4sII", b"curv", 0, _CURVE_POINTS) + values.tobytes()


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(values)


def _fixed(values: NDArray[np.float64]) -> bytes:
    return np.rint(values * 65536).astype(">i4").tobytes()
