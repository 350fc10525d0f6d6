"""Colours as a viewer shows them that heeds profiles: the same before and after, by CIEDE2000."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from scales_cli.cli.app import main

color = pytest.importorskip("skimage.color")

PATCH = 16  # pixels a side, of 6 x 4 patches
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))  # chromaticities of red, green and blue
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
D65, D50 = (0.3127, 0.3290), (0.9642, 1.0, 0.8249)
NODES = 6  # of each ink in the table of the CMYK profile, at 0, 51, ... 255


def to_xyz(primaries):
    """Linear RGB to XYZ seen under D50, as profiles have it (Bradford's adaptation)."""
    xyz = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    white = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
    matrix = xyz * np.linalg.solve(xyz, white)
    cones = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    adaptation = np.linalg.solve(cones, np.diag(cones @ D50 / (cones @ white)) @ cones)
    return adaptation @ matrix


def icc_profile(space, tags, pad=0):
    """ICC version 2."""
    tags = {b"desc": text(b"desc"), b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz_tag(D50), **tags}
    if pad:
        tags[b"pad "] = b"data\0\0\0\0\0\0\0\0" + bytes(pad)
    start = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    kind, connection = (b"prtr", b"Lab ") if space == b"CMYK" else (b"mntr", b"XYZ ")
    header = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(body), b"none", 0x02400000, kind, space, connection, b"", b"acsp"
    )
    header = header.ljust(68, b"\0") + xyz_tag(D50)[8:]
    return header.ljust(128, b"\0") + table + body


def text(signature):
    return signature + struct.pack(">II", 0, 5) + b"test\0" + bytes(4 + 4 + 2 + 1 + 67)


def xyz_tag(values):
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def curve(function):
    samples = [round(65535 * function(index / 1023)) for index in range(1024)]
    return struct.pack(">4sII1024H", b"curv", 0, 1024, *samples)


def rgb_profile(primaries, function, pad=0):
    columns = {
        name: xyz_tag(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), to_xyz(primaries).T, strict=True)
    }
    return icc_profile(b"RGB ", columns | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve(function)), pad)


def inks_to_rgb(cmyk):
    """What our printer makes of inks of 0..1, as linear sRGB."""
    return (0.02 + 0.98 * (1 - cmyk[..., :3]) ** 1.5) * (0.03 + 0.97 * (1 - cmyk[..., 3:]))


def cmyk_profile():
    """With a table from inks to Lab (lut16Type)."""
    inks = np.stack(np.meshgrid(*[np.linspace(0, 1, NODES)] * 4, indexing="ij"), axis=-1)
    lab = lab_of(inks_to_rgb(inks) @ to_xyz(SRGB).T)
    table = np.rint((lab + np.array([0, 128, 128])) * [652.8, 256, 256]).astype(">u2")
    head = struct.pack(">4sIBBBx9iHH", b"mft2", 0, 4, 3, NODES, *(65536 * np.eye(3, dtype=int)).flat, 2, 2)
    ramps = struct.pack(">2H", 0, 65535)
    return icc_profile(b"CMYK", {b"A2B0": head + 4 * ramps + table.tobytes() + 3 * ramps})


def lab_of(xyz):
    return color.xyz2lab(xyz, illuminant="D50")


def srgb_curve(value):
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def adobe_curve(value):
    return value ** (563 / 256)


def rgb_to_lab(primaries, function):
    return lambda values: lab_of(function(values) @ to_xyz(primaries).T)


def grey_to_lab(values):
    return lab_of(values**1.8 * D50)


def cmyk_to_lab(values):
    return lab_of(inks_to_rgb(values) @ to_xyz(SRGB).T)


as_srgb = rgb_to_lab(SRGB, srgb_curve)
GREY = icc_profile(b"GRAY", {b"kTRC": curve(lambda value: value**1.8)})

# File name, mode, profile, its meaning, that of what is embedded in the result, whether that is the same profile.
CASES = {
    "sRGB": ("a.png", "RGB", rgb_profile(SRGB, srgb_curve), as_srgb, as_srgb, True),
    "P3": ("a.jpg", "RGB", rgb_profile(DISPLAY_P3, srgb_curve), *[rgb_to_lab(DISPLAY_P3, srgb_curve)] * 2, True),
    "AdobeRGB": ("a.tif", "RGB", rgb_profile(ADOBE_RGB, adobe_curve), *[rgb_to_lab(ADOBE_RGB, adobe_curve)] * 2, True),
    "grey": ("a.png", "L", GREY, grey_to_lab, grey_to_lab, True),
    "CMYK": ("a.tif", "CMYK", cmyk_profile(), cmyk_to_lab, as_srgb, False),
    "CMYK JPEG": ("a.jpg", "CMYK", cmyk_profile(), cmyk_to_lab, as_srgb, False),
    "broken": ("a.webp", "RGB", rgb_profile(SRGB, srgb_curve)[:36] + bytes(400), as_srgb, as_srgb, False),
    "4 segments": (
        "a.jpg", "RGB", rgb_profile(DISPLAY_P3, srgb_curve, 200_000), *[rgb_to_lab(DISPLAY_P3, srgb_curve)] * 2, True,
    ),
}  # fmt: skip


def patches(mode, rng):
    levels = rng.integers(0, NODES, (4, 6, len(Image.new(mode, (1, 1)).getbands()))) * (255 // (NODES - 1))
    pixels = levels.astype(np.uint8).repeat(PATCH, axis=0).repeat(PATCH, axis=1)
    return Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)


def centres(path, scale=1):
    """The mean value of each patch, away from its edges, 0..1."""
    with Image.open(path) as image:
        pixels = np.asarray(image).reshape(image.height, image.width, -1) / 255
    side = PATCH * scale
    cut = pixels.reshape(4, side, 6, side, -1)[:, side * 3 // 8 : side * 5 // 8, :, side * 3 // 8 : side * 5 // 8]
    return cut.mean(axis=(1, 3))


@pytest.mark.parametrize("name", CASES)
def test_colors_stay_those_that_a_viewer_shows(folder, rng, name, capfd):
    path, mode, profile, before, after, is_kept = CASES[name]
    options = {"quality": 100, "subsampling": 0} if path.endswith("jpg") else {}
    patches(mode, rng).save(path, icc_profile=profile, **options)
    assert Path(path).read_bytes().count(b"ICC_PROFILE\0") == {"4 segments": 4}.get(name, path.endswith("jpg"))
    assert main(["upscale", path, "-s", "2", "-m", "tiny"]) == 0
    (result,) = Path().glob("a_x2.*")
    with Image.open(result) as image:
        assert image.info.get("icc_profile") == (profile if is_kept else None)
    assert ("profile" in capfd.readouterr().err) == (not is_kept)
    difference = color.deltaE_ciede2000(before(centres(path)), after(centres(result, scale=2)))
    assert difference.mean() < 0.5
    assert difference.max() < 2


def test_the_profiles_mean_what_the_test_takes_them_for(rng):
    """By another reader of profiles, to the precision of 8 bits."""
    for _, mode, profile, meaning, *_ in CASES.values():
        try:
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except OSError:  # the broken one
            continue
        picture = patches(mode, rng)
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("LAB"), mode, "LAB")
        lab = np.asarray(ImageCms.applyTransform(picture, transform))[::PATCH, ::PATCH]
        found = np.dstack([lab[..., :1] / 2.55, lab[..., 1:].view(np.int8)])
        values = np.asarray(picture).reshape(4 * PATCH, 6 * PATCH, -1)[::PATCH, ::PATCH] / 255
        assert np.abs(found - meaning(values)).max() < 2
