import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from scales_cli.errors import InputError, OutputError
from scales_cli.imaging.colors import MAX_PROFILE_BYTES
from scales_cli.imaging.encoding import fit_to_format, open_writer, to_8_bit
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Layout, Picture


def encoded(picture, image_format):
    stream = io.BytesIO()
    writer = open_writer(picture.layout, image_format, stream)
    writer.write(picture.pixels)
    writer.close()
    return stream.getvalue()


def reread(picture, image_format):
    return read_image(encoded(picture, image_format))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "image_format", [ImageFormat.PNG, ImageFormat.TIFF, ImageFormat.WEBP], ids=lambda item: item.name
)
def test_encode_image_keeps_8_bit_pixels(rng, image_format, channels):
    pixels = rng.integers(0, 256, (11, 70, channels), dtype=np.uint8)
    result = reread(Picture(pixels), image_format).pixels
    if image_format is ImageFormat.WEBP and channels < 3:
        assert (result[..., 0] == result[..., 1]).all()  # WebP knows no grey
        result = result[..., [0, 3][:channels]]
    assert np.array_equal(result, pixels)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("image_format", [ImageFormat.BMP, ImageFormat.PPM], ids=lambda item: item.name)
def test_encode_image_keeps_opaque_pixels(rng, image_format, channels):
    pixels = rng.integers(0, 256, (5, 7, channels), dtype=np.uint8)
    assert np.array_equal(reread(Picture(pixels), image_format).pixels, pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (130, 3), (64, 9), (65, 40)])
def test_encode_image_keeps_16_bit_png(rng, shape, channels):
    pixels = rng.integers(0, 65536, (*shape, channels), dtype=np.uint16)
    assert np.array_equal(reread(Picture(pixels), ImageFormat.PNG).pixels, pixels)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("shape", [(1, 1), (130, 3), (64, 9), (65, 40)])
def test_encode_image_keeps_16_bit_tiff(rng, shape, channels):
    pixels = rng.integers(0, 65536, (*shape, channels), dtype=np.uint16)
    assert np.array_equal(reread(Picture(pixels), ImageFormat.TIFF).pixels, pixels)


def test_encode_image_keeps_16_bit_netpbm(rng):
    for channels in (1, 3):
        pixels = rng.integers(0, 65536, (4, 5, channels), dtype=np.uint16)
        assert np.array_equal(reread(Picture(pixels), ImageFormat.PPM).pixels, pixels)


def test_encode_image_jpeg_keeps_full_chroma(photo):
    data = encoded(Picture(photo), ImageFormat.JPEG)
    image = Image.open(io.BytesIO(data))
    assert image.layer[0][1:3] == (1, 1)
    assert image.layer[1][1:3] == (1, 1)
    assert np.abs(read_image(data).pixels.astype(int) - photo).mean() < 2


def test_encode_image_jpeg_keeps_grey(photo):
    assert reread(Picture(photo[..., :1]), ImageFormat.JPEG).kind == "grey"


def test_encode_image_webp_has_loss_where_the_input_had(photo):
    assert reread(Picture(photo, format=ImageFormat.WEBP, lossless=True), ImageFormat.WEBP).lossless
    assert reread(Picture(photo, format=ImageFormat.JPEG, lossless=False), ImageFormat.WEBP).lossless
    assert not reread(Picture(photo, format=ImageFormat.WEBP, lossless=False), ImageFormat.WEBP).lossless


def test_encode_image_keeps_hidden_colors_in_webp(rng):
    pixels = rng.integers(0, 256, (8, 8, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    assert np.array_equal(reread(Picture(pixels), ImageFormat.WEBP).pixels, pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "image_format", [ImageFormat.PNG, ImageFormat.TIFF, ImageFormat.JPEG, ImageFormat.WEBP], ids=lambda item: item.name
)
def test_encode_image_embeds_metadata(photo, image_format, dtype):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    pixels = photo.astype(dtype) * (np.iinfo(dtype).max // 255)
    picture = Picture(pixels, icc_profile=profile, dpi=(300.0, 150.0), exif=exif.tobytes())
    result = reread(picture, image_format)
    assert result.icc_profile == profile
    if image_format is not ImageFormat.WEBP:
        assert result.dpi == pytest.approx((300, 150), abs=0.1)
    kept = Image.Exif()
    kept.load(result.exif)
    assert kept[0x010F] == "Maker"


def test_encode_image_flattens_on_white():
    pixels = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], np.uint8)
    assert reread(Picture(pixels), ImageFormat.PPM).pixels.tolist() == [
        [[255, 255, 255], [10, 20, 30], [127, 127, 127]]
    ]
    fitted = fit_to_format(Picture(pixels).layout, ImageFormat.PPM)
    assert fitted.kind == "rgb"
    assert "transparency" in fitted.notes[0]
    assert fit_to_format(fitted, ImageFormat.PPM) == fitted


def test_encode_image_flattens_16_bits_without_overflow():
    pixels = np.array([[[65535, 0], [65535, 65535], [65535, 65535]]], np.uint16)
    assert reread(Picture(pixels), ImageFormat.PPM).pixels[..., 0].tolist() == [[65535, 65535, 65535]]


def test_encode_image_rounds_16_bits():
    pixels = np.array([[[0], [128], [129], [65535], [257 * 77]]], np.uint16)
    assert reread(Picture(pixels), ImageFormat.BMP).pixels[..., 0].tolist() == [[0, 0, 1, 255, 77]]
    fitted = fit_to_format(Picture(pixels).layout, ImageFormat.BMP)
    assert fitted.dtype == np.uint8
    assert "16" in fitted.notes[0]


def test_to_8_bit_undoes_the_stretch():
    values = np.arange(256, dtype=np.uint16)
    assert np.array_equal(to_8_bit(values * 257), values)


@pytest.mark.parametrize(("image_format", "side"), [(ImageFormat.WEBP, 16383), (ImageFormat.JPEG, 65500)])
def test_fit_to_format_knows_the_limits(image_format, side):
    picture = Picture(np.zeros((1, side, 1), np.uint8))
    assert reread(picture, image_format).width == side
    with pytest.raises(OutputError, match=str(side)):
        fit_to_format(Picture(np.zeros((1, side + 1, 1), np.uint8)).layout, image_format)


def test_fit_to_format_knows_the_limit_of_bmp():
    def layout(width, height, channels):
        return Layout(width, height, channels, np.dtype(np.uint8))

    for channels in (3, 4):
        fit_to_format(layout(48000, 29000, channels), ImageFormat.BMP)
        with pytest.raises(OutputError, match="4 GiB"):
            fit_to_format(layout(48000, 30000, channels), ImageFormat.BMP)
    fit_to_format(layout(48000, 36000, 2), ImageFormat.BMP)
    assert not ImageFormat.BMP.can_hold(1, 2**30)  # rows are padded to four bytes
    assert ImageFormat.BMP.can_hold(1, 2**30 - 300)


def test_formats_name_each_extension_once():
    extensions = [extension for item in ImageFormat for extension in item.extensions]
    assert len(set(extensions)) == len(extensions)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "image_format", [ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.TIFF], ids=lambda item: item.name
)
def test_encode_image_takes_exposure_data(photo, capfd, image_format, dtype):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x8769] = exif.get_ifd(0x8769) | {0x829A: 0.01}
    fitted = fit_to_format(Picture(photo.astype(dtype), exif=exif.tobytes()).layout, image_format)
    assert not any("EXIF" in note for note in fitted.notes)
    result = reread(Picture(photo, exif=exif.tobytes()), image_format)
    kept = Image.Exif()
    kept.load(result.exif)
    assert kept[0x010F] == "Maker"
    assert kept.get_ifd(0x8769) == {0x829A: pytest.approx(0.01)}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_encode_image_keeps_large_profiles_in_png(photo, dtype):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.ljust(MAX_PROFILE_BYTES, b"\0")
    assert reread(Picture(photo.astype(dtype), icc_profile=profile), ImageFormat.PNG).icc_profile == profile
    with pytest.raises(InputError):
        reread(Picture(photo.astype(dtype), icc_profile=profile + b"\0"), ImageFormat.PNG)
