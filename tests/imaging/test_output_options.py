import io

import numpy as np
import pytest
from PIL import ExifTags, Image

from scales_cli.errors import UsageError
from scales_cli.imaging.encoding import open_writer
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.output_options import Metadata, OutputOptions
from scales_cli.imaging.picture import Picture


def written(picture, image_format, options):
    stream = io.BytesIO()
    writer = open_writer(options.applied(picture.layout), image_format, stream)
    writer.write(picture.pixels)
    writer.close()
    return stream.getvalue()


@pytest.mark.parametrize("image_format", [ImageFormat.JPEG, ImageFormat.WEBP], ids=lambda item: item.name)
def test_quality_decides_size_and_loss(photo, image_format):
    picture = Picture(np.tile(photo, (4, 4, 1)))
    sizes, errors = [], []
    for quality in (20, 60, 100):
        data = written(picture, image_format, OutputOptions(quality=quality))
        sizes.append(len(data))
        errors.append(np.abs(read_image(data).pixels.astype(int) - picture.pixels).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 1


def test_lossless_holds_for_a_webp_with_loss(photo):
    picture = Picture(photo, format=ImageFormat.WEBP, lossless=False)
    assert not np.array_equal(read_image(written(picture, ImageFormat.WEBP, OutputOptions())).pixels, photo)
    assert np.array_equal(read_image(written(picture, ImageFormat.WEBP, OutputOptions(lossless=True))).pixels, photo)
    with pytest.raises(UsageError):
        OutputOptions(lossless=True, quality=80)


@pytest.mark.parametrize("image_format", [item for item in ImageFormat if item.writable], ids=lambda item: item.name)
def test_lossless_is_for_all_formats_but_jpeg(image_format):
    if image_format is not ImageFormat.JPEG:
        assert OutputOptions(image_format, lossless=True).lossless
        return
    with pytest.raises(UsageError, match="never without loss"):
        OutputOptions(image_format, lossless=True)


@pytest.mark.parametrize("quality", [0, 101, 95.5, "95"])
def test_quality_is_a_whole_number_up_to_100(quality):
    with pytest.raises(UsageError, match=f"quality is {quality!r}"):
        OutputOptions(quality=quality)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("background", [(255, 255, 255), (200, 10, 30)])
@pytest.mark.parametrize("channels", [2, 4])
def test_background_replaces_transparency(rng, channels, background, dtype):
    full = np.iinfo(dtype).max
    pixels = rng.integers(0, full + 1, (7, 9, channels), dtype=dtype)
    result = read_image(written(Picture(pixels), ImageFormat.PNG, OutputOptions(background=background)))
    alpha = pixels[..., -1:] / full
    expected = pixels[..., :-1] * alpha + np.array(background) / 255 * full * (1 - alpha)
    is_grey = channels == 2 and len(set(background)) == 1
    assert result.kind == ("grey" if is_grey else "rgb")
    assert np.abs(result.pixels - expected[..., : result.pixels.shape[2]]).max() <= 0.51
    assert result.notes == ()


def test_background_leaves_opaque_pictures_alone(photo):
    assert np.array_equal(
        read_image(written(Picture(photo), ImageFormat.PNG, OutputOptions(background=(1, 2, 3)))).pixels, photo
    )


@pytest.fixture
def tagged(saved, photo):
    """A JPEG with all kinds of tags."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "A. Body"
    exif[ExifTags.Base.HostComputer] = "laptop"
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details |= {ExifTags.Base.FNumber: 2.8, ExifTags.Base.BodySerialNumber: "123", ExifTags.Base.ExifImageWidth: 23}
    exif[ExifTags.IFD.Exif] = details
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (50.0, 0.0, 0.0)}
    return saved(photo, "JPEG", exif=exif)


def tags_of(block):
    exif = Image.Exif()
    exif.load(block)
    return exif, exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)


@pytest.mark.parametrize(("tag", "noted"), [(37724, False), (ExifTags.Base.HostComputer, True)])
def test_metadata_that_are_too_long_cost_no_others(saved, photo, tag, noted):
    """The layers of a TIFF from Photoshop, which are those of the stored picture, are not missed."""
    picture = read_image(
        saved(photo, "TIFF", tiffinfo={tag: "x" * 2_000_000, ExifTags.Base.Artist: "A. Body"}), metadata=Metadata.KEEP
    )
    assert tags_of(picture.exif)[0] == {ExifTags.Base.Artist: "A. Body"}
    assert any("tags" in note for note in picture.notes) == noted


@pytest.mark.parametrize(
    "image_format", [ImageFormat.PNG, ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.TIFF], ids=lambda item: item.name
)
def test_metadata_is_kept_as_asked_for(tagged, image_format):
    def result(metadata):
        picture = read_image(tagged, metadata=metadata)
        assert picture.height == 23  # turned, whatever is kept
        return read_image(written(picture, image_format, OutputOptions()), metadata=Metadata.KEEP).exif

    assert result(Metadata.NONE) is None or image_format is ImageFormat.TIFF
    base, details, place = tags_of(result(Metadata.SAFE))
    assert base[ExifTags.Base.Artist] == "A. Body"
    assert not place
    assert ExifTags.Base.HostComputer not in base
    assert ExifTags.Base.BodySerialNumber not in details
    assert details[ExifTags.Base.FNumber] == pytest.approx(2.8)
    base, details, place = tags_of(result(Metadata.KEEP))
    assert base[ExifTags.Base.HostComputer] == "laptop"
    assert details[ExifTags.Base.BodySerialNumber] == "123"
    assert place[ExifTags.GPS.GPSLatitude] == (50.0, 0.0, 0.0)
    assert ExifTags.Base.Orientation not in base
    assert ExifTags.Base.ExifImageWidth not in details
