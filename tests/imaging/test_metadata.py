import numpy as np
import pytest
from PIL import Image, ImageCms

from scales_cli.imaging.files import read_image


def test_read_image_keeps_profiles(saved, photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_image(saved(photo, icc_profile=profile)).icc_profile == profile
    assert read_image(saved(photo, "JPEG", icc_profile=profile)).icc_profile == profile


@pytest.mark.parametrize("profile", [b"", b"garbage", bytes(200), b"x" * 4000])
def test_read_image_leaves_out_broken_profiles(saved, photo, profile):
    picture = read_image(saved(photo, icc_profile=profile))
    assert picture.icc_profile is None
    assert np.array_equal(picture.pixels, photo)
    assert len(picture.notes) == (profile != b"")


def test_read_image_leaves_out_profiles_of_other_colors(saved, photo):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_image(saved(photo[..., 0], icc_profile=profile))
    assert picture.icc_profile is None
    assert "profile" in picture.notes[0]


def test_read_image_keeps_resolution(saved, photo):
    for name in ("PNG", "JPEG", "TIFF", "BMP"):
        assert read_image(saved(photo, name, dpi=(300, 300))).dpi == pytest.approx((300, 300), abs=0.05)
    for name in ("PNG", "JPEG", "TIFF"):
        assert read_image(saved(photo, name)).dpi is None


@pytest.mark.parametrize("name", ["PNG", "WEBP", "AVIF"])
def test_read_image_keeps_the_resolution_that_only_exif_states(saved, photo, name):
    for unit, expected in ((2, (300, 150)), (3, (762, 381)), (1, None), (None, (300, 150))):
        exif = Image.Exif()
        exif[0x011A], exif[0x011B] = 300.0, 150.0
        if unit is not None:
            exif[0x0128] = unit
        found = read_image(saved(photo, name, exif=exif)).dpi
        assert found == (expected and pytest.approx(expected))
    exif[0x011A] = 0.0
    assert read_image(saved(photo, name, exif=exif)).dpi is None


def test_read_image_keeps_harmless_exif(saved, photo):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 3
    exif.get_ifd(0x8769)[0x9003] = "2026:11:23 10:00:00"
    exif.get_ifd(0x8769)[0xA431] = "serial"
    exif.get_ifd(0x8825)[1] = "N"
    kept = Image.Exif()
    kept.load(read_image(saved(photo, "JPEG", exif=exif.tobytes())).exif)
    assert kept[0x010F] == "Maker"
    assert 0x0112 not in kept
    assert kept.get_ifd(0x8769) == {0x9003: "2026:11:23 10:00:00"}
    assert not kept.get_ifd(0x8825)


def test_read_image_survives_broken_exif(saved, photo):
    assert np.array_equal(read_image(saved(photo, exif=b"Exif\0\0garbage")).pixels, photo)
