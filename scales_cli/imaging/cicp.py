"""Color spaces by coding-independent code points (ITU-T H.273): numbers for primaries, transfer, matrix and range."""

from __future__ import annotations

from scales_cli.imaging.profiles import D65, ColorSpace, Curve, Point, bt709_curve, srgb_curve

Numbers = tuple[int, int, int, int]

_UNSPECIFIED = 2
_C = (0.310, 0.316)  # white of early film and television
_PRIMARIES: dict[int, tuple[str, Point, Point, Point, Point]] = {
    1: ("BT.709", (0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    4: ("BT.470 M", (0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ("BT.470 BG", (0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ("BT.601", (0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ("SMPTE 240M", (0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    8: ("film", (0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ("BT.2020", (0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ("DCI-P3", (0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ("Display P3", (0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    22: ("EBU Tech. 3213", (0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
_SRGB, _PQ, _HLG = 13, 16, 18
_VIDEO = (1, 6, 14, 15)  # the curve of BT.709 by its several names
_CURVES: dict[int, float | Curve] = {4: 2.2, 5: 2.8, 8: 1.0, _SRGB: srgb_curve, **dict.fromkeys(_VIDEO, bt709_curve)}
_TRANSFERS = {_SRGB: "sRGB", _PQ: "PQ (HDR)", _HLG: "HLG (HDR)", 8: "linear"}


def is_specified(numbers: Numbers) -> bool:
    """Whether primaries or transfer are said."""
    return numbers[:2] != (_UNSPECIFIED, _UNSPECIFIED)


def is_srgb(numbers: Numbers) -> bool:
    """Whether colors are what every program takes those to be of which nothing is said; few tell BT.709 from it."""
    primaries, transfer, _, is_full = numbers
    return primaries in (1, _UNSPECIFIED) and transfer in (_SRGB, _UNSPECIFIED, *_VIDEO) and bool(is_full)


def color_space(numbers: Numbers) -> ColorSpace | None:
    """What a profile can say of the numbers, None if it cannot: brightness beyond white, ranges, unknown numbers."""
    primaries, transfer, _, is_full = numbers
    points, curve = _PRIMARIES.get(primaries), _CURVES.get(transfer)
    if transfer == _UNSPECIFIED:
        curve = srgb_curve
    if points is None or curve is None or not is_full:
        return None
    name, red, green, blue, white = points
    return ColorSpace(name if transfer == _SRGB else f"{name} of transfer {transfer}", red, green, blue, white, curve)


def described(numbers: Numbers) -> str:
    """A name such as BT.2020 with PQ."""
    primaries, transfer, *_ = numbers
    first = _PRIMARIES[primaries][0] if primaries in _PRIMARIES else f"primaries {primaries}"
    return f"{first} with {_TRANSFERS.get(transfer, f'transfer {transfer}')}"
