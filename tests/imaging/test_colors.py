"""What files say of their colors otherwise than by a profile: it becomes one, stays in PNG, or is said to be lost."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from scales_cli.imaging import cicp
from scales_cli.imaging.colors import ADOBE_RGB, ROMM_RGB, SRGB
from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.profiles import ColorSpace, make_profile

P3, PQ = bytes([12, 13, 0, 1]), bytes([9, 16, 0, 1])
P3_POINTS = [31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000]


def png(png_with, *stated, color=2):
    row = b"\0" + bytes([200, 100, 50][: 3 if color == 2 else 1])
    return png_with(1, 1, color=color, chunks=[*stated, (b"IDAT", zlib.compress(row))])


def written(picture, image_format):
    stream = io.BytesIO()
    writer = open_writer(picture.layout, image_format, stream)
    writer.write(picture.pixels)
    writer.close()
    return stream.getvalue(), writer.layout.notes


def meaning(profile, pixels):
    """Lab that another reader of profiles sees, of RGB 0..255 [N, 3] or grey [N]."""
    mode = "L" if pixels.ndim == 1 else "RGB"
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(opened, ImageCms.createProfile("LAB"), mode, "LAB")
    lab = np.asarray(ImageCms.applyTransform(Image.fromarray(pixels[None].astype(np.uint8), mode), transform))[0]
    return np.hstack([lab[:, :1] / 2.55, lab[:, 1:].view(np.int8)])


COLORS = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [120, 130, 90], [20, 40, 200]])


def test_profiles_mean_what_other_programs_take_them_for():
    builtin = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.abs(meaning(make_profile(SRGB), COLORS) - meaning(builtin, COLORS)).max() <= 1.1
    lab = meaning(make_profile(ADOBE_RGB), COLORS)
    assert (
        np.abs(lab[3] - [83.2, -129, 87]).max() < 2
    )  # its green, by its published chromaticities, as far as Lab reaches
    assert np.abs(meaning(make_profile(ROMM_RGB), COLORS)[0] - [100, 0, 0]).max() < 1
    grey = meaning(
        make_profile(ColorSpace("linear", SRGB.red, SRGB.green, SRGB.blue, curve=1.0), grey=True), np.array([46])
    )
    assert abs(grey[0, 0] - 49.5) < 1  # 18 % of the light


@pytest.mark.parametrize("primaries", [1, 4, 5, 6, 7, 8, 9, 11, 12, 22])
@pytest.mark.parametrize("transfer", [1, 4, 5, 8, 13])
def test_code_points_make_profiles_whose_white_is_white(primaries, transfer):
    space = cicp.color_space((primaries, transfer, 0, 1))
    assert space.is_possible
    assert np.abs(meaning(make_profile(space), COLORS)[0] - [100, 0, 0]).max() < 1


def test_code_points_of_png_are_kept_in_png(png_with):
    for numbers in (P3, PQ, bytes([1, 13, 0, 1])):
        picture = read_image(png(png_with, (b"cICP", numbers), (b"cLLI", bytes(8))))
        data, notes = written(picture, ImageFormat.PNG)
        assert b"cICP" + numbers in data
        assert b"cLLI" + bytes(8) in data
        assert notes == ()
        assert read_image(data).color_chunks == picture.color_chunks


@pytest.mark.parametrize("image_format", [ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.TIFF])
def test_code_points_become_a_profile_elsewhere_or_a_note(png_with, image_format):
    data, notes = written(read_image(png(png_with, (b"cICP", P3))), image_format)
    found = read_image(data).icc_profile
    assert notes == ()
    assert np.abs(meaning(found, COLORS) - meaning(make_profile(cicp.color_space((12, 13, 0, 1))), COLORS)).max() < 1
    data, notes = written(read_image(png(png_with, (b"cICP", PQ))), image_format)
    assert read_image(data).icc_profile is None
    said = "cannot state its colours, BT.2020 with PQ (HDR), and shows others; PNG states them"
    assert notes == (f"{image_format.name} {said}",)


def test_code_points_override_a_profile(png_with):
    other = make_profile(ADOBE_RGB)
    packed = (b"iCCP", b"x\0\0" + zlib.compress(other))
    assert read_image(png(png_with, (b"cICP", bytes([1, 13, 0, 1])), packed)).icc_profile is None
    assert read_image(png(png_with, (b"cICP", P3), packed)).icc_profile not in (None, other)
    assert read_image(png(png_with, (b"cICP", PQ), packed)).icc_profile == other  # for who does not know HDR


@pytest.mark.parametrize(
    ("chunks", "is_other"),
    [
        ([(b"gAMA", [45455])], False),
        ([(b"gAMA", [100_000])], True),
        ([(b"gAMA", [100_000]), (b"sRGB", [])], False),
        ([(b"cHRM", [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000])], False),
        ([(b"cHRM", [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000, 1])], False),  # too long
        ([(b"cHRM", P3_POINTS)], True),
        ([(b"cHRM", P3_POINTS), (b"iCCP", [])], False),
    ],
)
def test_gamma_and_primaries_of_png_become_a_profile(png_with, chunks, is_other):
    own = make_profile(SRGB)
    stated = [(name, struct.pack(f">{len(values)}I", *values) or b"\0") for name, values in chunks]
    stated = [(name, b"x\0\0" + zlib.compress(own)) if name == b"iCCP" else (name, data) for name, data in stated]
    picture = read_image(png(png_with, *stated))
    is_too_long = any(len(data) > 32 for name, data in stated if name == b"cHRM")
    assert picture.notes == ("its cHRM is damaged and was left out",) * is_too_long
    assert (picture.icc_profile not in (None, own)) == is_other


def test_a_profile_of_gamma_and_primaries_means_them(png_with):
    stated = [(b"cHRM", struct.pack(">8I", *P3_POINTS)), (b"gAMA", struct.pack(">I", 100_000))]
    found = meaning(read_image(png(png_with, *stated)).icc_profile, COLORS)
    linear = ColorSpace("", (0.68, 0.32), (0.265, 0.69), (0.15, 0.06), curve=1.0)
    assert np.abs(found - meaning(make_profile(linear), COLORS)).max() < 1
    grey = read_image(png(png_with, *stated, color=0)).icc_profile
    assert grey[16:20] == b"GRAY"
    assert abs(meaning(grey, np.array([46]))[0, 0] - 49.5) < 1
    assert read_image(png(png_with, stated[0], color=0)).icc_profile is None  # primaries are nothing to grey


@pytest.mark.parametrize(
    "chunk", [(b"gAMA", bytes(4)), (b"cHRM", bytes(32)), (b"cHRM", struct.pack(">8I", *[31270, 32900] * 4))]
)
def test_gamma_and_primaries_that_mean_nothing_are_said(png_with, chunk):
    picture = read_image(png(png_with, chunk))
    assert (picture.icc_profile, picture.notes) == (
        None,
        ("its gamma or primary colours mean nothing and were left out",),
    )


def with_exif(saved, photo, image_format, said, **tags):
    exif = Image.Exif()
    exif[271] = "ACME"
    for tag, value in tags.items():
        exif[int(tag[1:])] = value
    exif[0x8769] = said
    return saved(photo, image_format, exif=exif)


R03 = {0xA005: {1: "R03", 2: b"0100"}}


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("said", [{0xA001: 65535, **R03}, {0xA001: 2}, R03])
def test_adobe_rgb_of_cameras_becomes_a_profile(saved, photo, image_format, said):
    if image_format == "AVIF":  # says by itself that it is sRGB
        data = with_exif(saved, photo, image_format, said).replace(b"nclx\0\1\0\x0d", b"nclx\0\2\0\2")
    else:
        data = with_exif(saved, photo, image_format, said)
    picture = read_image(data)
    assert picture.icc_profile == make_profile(ADOBE_RGB)
    assert picture.notes == ()


def test_exif_is_asked_only_if_nothing_else_is_said(saved, photo):
    profile = make_profile(SRGB)
    data = with_exif(saved, photo, "JPEG", {0xA001: 65535, **R03})
    image = Image.open(io.BytesIO(data))
    assert read_image(saved(image, "JPEG", exif=image.getexif(), icc_profile=profile)).icc_profile == profile
    assert read_image(with_exif(saved, photo, "JPEG", {0xA001: 1})).icc_profile is None


def test_primaries_of_exif_become_a_profile(saved, photo):
    points = {"t318": (0.3127, 0.329), "t319": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)}
    found = read_image(with_exif(saved, photo, "JPEG", {0xA001: 65535, 0xA500: 563 / 256}, **points)).icc_profile
    assert np.abs(meaning(found, COLORS) - meaning(make_profile(ADOBE_RGB), COLORS)).max() < 1


def test_colors_that_are_not_named_are_said(saved, photo):
    picture = read_image(with_exif(saved, photo, "JPEG", {0xA001: 65535}))
    assert picture.icc_profile is None
    assert "others than those of sRGB" in picture.notes[0]


def avif(saved, photo, primaries, transfer, profile=None):
    options = {} if profile is None else {"icc_profile": profile}
    data = bytearray(saved(photo, "AVIF", **options))
    struct.pack_into(">HH", data, data.index(b"nclx") + 4, primaries, transfer)
    return bytes(data)


def test_code_points_of_avif_are_kept(saved, photo):
    assert read_image(saved(photo, "AVIF")).icc_profile is None
    picture = read_image(avif(saved, photo, 12, 13))
    assert (picture.icc_profile, picture.color_chunks) == (make_profile(cicp.color_space((12, 13, 0, 1))), ())
    picture = read_image(avif(saved, photo, 9, 16))
    assert (picture.icc_profile, picture.color_chunks) == (None, ((b"cICP", PQ),))
    assert b"cICP" + PQ in written(picture, ImageFormat.PNG)[0]
    assert "BT.2020 with PQ" in written(picture, ImageFormat.JPEG)[1][0]
    own = make_profile(ADOBE_RGB)
    assert read_image(avif(saved, photo, 9, 16, own)).icc_profile == own


def gif(saved, photo, name, data):
    """A file with an application's data, before its frames."""
    plain = saved(Image.fromarray(photo).quantize(16), "GIF")
    start = 13 + (3 << 1 + (plain[10] & 7))
    return b"GIF89a" + plain[6:start] + b"!\xff\x0b" + name + data + plain[start:]


def test_profiles_of_gif_are_kept(saved, photo):
    profile = make_profile(ADOBE_RGB)
    pieces = b"".join(
        bytes([len(profile[at : at + 255])]) + profile[at : at + 255] for at in range(0, len(profile), 255)
    )
    picture = read_image(gif(saved, photo, b"ICCRGBG1012", pieces + b"\0"))
    assert (picture.icc_profile, picture.notes) == (profile, ())
    cut = read_image(gif(saved, photo, b"ICCRGBG1012", pieces[:256] + b"\0"))
    assert cut.icc_profile == profile[:255] or cut.notes
    assert read_image(gif(saved, photo, b"ANOTHER 1.0", pieces + b"\0")).icc_profile is None


@pytest.mark.parametrize("said", [0, 1])
def test_qoi_is_srgb_whatever_it_says(saved, photo, said):
    """Pillow writes that pictures are linear that are not, and viewers pass it over."""
    data = bytearray(saved(photo, "QOI"))
    data[13] = said
    picture = read_image(bytes(data))
    assert (picture.icc_profile, picture.notes) == (None, ())


def bmp(saved, photo, kind, numbers=(0,) * 12, profile=b""):
    """A bitmap of version 5."""
    plain = saved(photo, "BMP")
    header = bytearray(plain[14:54]).ljust(124, b"\0")
    header[0:4] = struct.pack("<I", 124)
    header[40:56] = bytes(16)
    struct.pack_into("<I", header, 56, kind)
    struct.pack_into("<9i3I", header, 60, *numbers)
    pixels = plain[54:]
    if profile:
        struct.pack_into("<II", header, 112, 124 + len(pixels), len(profile))
    start = struct.pack("<2sIII", b"BM", 138 + len(pixels) + len(profile), 0, 138)
    return start + bytes(header) + pixels + profile


def test_colors_of_bitmaps_are_kept(saved, photo):
    own = make_profile(ADOBE_RGB)
    picture = read_image(bmp(saved, photo, 0x4D424544, profile=own))
    assert np.array_equal(picture.pixels, photo)
    assert picture.icc_profile == own
    points = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]
    places = [round(value * 2**30) for x, y in points for value in (x, y, 1 - x - y)]
    calibrated = read_image(bmp(saved, photo, 0, (*places, *[round(563 / 256 * 65536)] * 3))).icc_profile
    assert np.abs(meaning(calibrated, COLORS) - meaning(own, COLORS)).max() < 1
    for kind in (0x73524742, 0x57696E20, 0):  # sRGB, Windows', calibrated by nothing
        assert read_image(bmp(saved, photo, kind)).icc_profile is None
    assert "not in the file" in read_image(bmp(saved, photo, 0x4C494E4B)).notes[0]


def test_profiles_are_missed_where_there_is_no_place_for_them(saved, photo):
    other = read_image(saved(photo, icc_profile=make_profile(ADOBE_RGB)))
    usual = read_image(saved(photo, icc_profile=make_profile(SRGB)))
    for image_format in (ImageFormat.BMP, ImageFormat.PPM):
        assert "holds no colour profile" in written(other, image_format)[1][0]
        assert written(usual, image_format)[1] == ()


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_profile_of_grey_is_left_out_where_grey_becomes_colours(saved, photo, mode):
    profile = make_profile(ColorSpace("linear", SRGB.red, SRGB.green, SRGB.blue, curve=1.0), grey=True)
    picture = read_image(saved(Image.fromarray(photo).convert(mode), icc_profile=profile))
    data, notes = written(picture, ImageFormat.WEBP)
    assert "icc_profile" not in Image.open(io.BytesIO(data)).info
    assert notes == ("the colour profile of grey was left out, as the result has colours",)
    assert written(picture, ImageFormat.TIFF)[1] == ()
