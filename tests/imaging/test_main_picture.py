"""Which picture of a file is the one: no thumbnail, nothing that is no picture yet; and what is said of the others."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.containers.avif import read_avif
from scales_cli.imaging.decoding import read_header
from scales_cli.imaging.files import read_image

LARGE = np.arange(24 * 30 * 3, dtype=np.uint16).reshape(24, 30, 3)
THUMBNAIL = np.full((12, 16, 3), 90, np.uint8)
SENSOR = np.arange(32 * 24, dtype=np.uint16).reshape(24, 32)
FILTER = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, bytes([0, 1, 1, 2]), True)]
DNG = [(50706, 1, 4, bytes([1, 4, 0, 0]), True)]


def tiff(*pages, **options):
    """A file of pages, each of pixels and what tifffile is told of them."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, **options) as writer:
        for pixels, said in pages:
            writer.write(pixels, metadata=None, **said)
    return stream.getvalue()


RAWS = {
    "DNG": tiff(
        (THUMBNAIL, {"photometric": "rgb", "subfiletype": 1, "subifds": 1, "extratags": DNG}),
        (SENSOR, {"photometric": "cfa", "extratags": FILTER}),
    ),
    "DNG, big-endian": tiff(
        (THUMBNAIL, {"photometric": "rgb", "subfiletype": 1, "subifds": 1, "extratags": DNG}),
        (np.dstack([SENSOR] * 3), {"photometric": "linear_raw"}),
        byteorder=">",
    ),
    "DNG without thumbnail": tiff((SENSOR, {"photometric": "cfa", "extratags": DNG + FILTER})),
    "NEF": tiff(
        (THUMBNAIL, {"photometric": "rgb", "subfiletype": 1, "subifds": 2}),
        (THUMBNAIL, {"photometric": "rgb", "subfiletype": 1}),
        (SENSOR, {"photometric": "cfa", "extratags": FILTER}),
    ),
    "PEF": tiff(
        (SENSOR, {"photometric": "cfa", "extratags": FILTER}),
        (THUMBNAIL, {"photometric": "rgb", "subfiletype": 1}),
        byteorder=">",
    ),
    "raw pages behind a picture": tiff(
        (THUMBNAIL, {"photometric": "rgb"}), (SENSOR, {"photometric": "cfa", "extratags": FILTER})
    ),
    "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(100),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1" + bytes(100),
    "CRW": b"II\x1a\0\0\0HEAPCCDR" + bytes(100),
    "ORF": b"IIRO\x08\0\0\0" + bytes(100),
    "RW2": b"IIU\0\x18\0\0\0" + bytes(100),
    "RAF": b"FUJIFILMCCD-RAW 0201" + bytes(100),
    "X3F": b"FOVb\0\0\0\2" + bytes(100),
    "MRW": b"\0MRM\0\0\0\1" + bytes(100),
    "IIQ": b"II*\0\x08\0\0\0IIII" + bytes(100),
}


@pytest.mark.parametrize("name", RAWS)
def test_raws_are_refused(name):
    for read in (read_image, lambda data: read_header(io.BytesIO(data))):
        with pytest.raises(InputError, match=r"camera raw.*: develop it first"):
            read(RAWS[name])


@pytest.mark.parametrize("compression", [32767, 34713, 65535])
def test_sensor_data_are_known_by_their_compression(compression):
    data = bytearray(RAWS["PEF"])
    place = data.index(b"\x01\x03\0\3\0\0\0\1") + 8
    data[place : place + 2] = compression.to_bytes(2, "big")
    place = data.index(b"\x01\x06\0\3\0\0\0\1") + 8
    data[place : place + 2] = b"\0\1"
    with pytest.raises(InputError, match="develop it first"):
        read_image(bytes(data))


def test_an_endless_chain_of_directories_ends():
    data = bytearray(tiff((THUMBNAIL, {"photometric": "rgb"})))
    count = int.from_bytes(data[8:10], "little")
    data[10 + 12 * count : 14 + 12 * count] = b"\x08\0\0\0"  # itself
    assert read_image(bytes(data)).pixels.shape == THUMBNAIL.shape


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("said", [{"subfiletype": 1}, {"extratags": [(255, 3, 1, 2, True)]}])
def test_reduced_pictures_before_the_main_one_are_skipped(dtype, said):
    large = LARGE.astype(dtype)
    data = tiff((THUMBNAIL, {"photometric": "rgb", **said}), (large, {"photometric": "rgb"}))
    picture, header = read_image(data), read_header(io.BytesIO(data))
    assert np.array_equal(picture.pixels, large)
    assert (header.width, header.height, header.layout.dtype) == (30, 24, dtype)
    assert picture.notes == ()


def test_transparency_masks_are_said():
    mask = (THUMBNAIL[..., 0] > 0, {"photometric": "minisblack", "subfiletype": 4})
    for pages in ([mask, (LARGE, {"photometric": "rgb"})], [(LARGE, {"photometric": "rgb"}), mask]):
        picture = read_image(tiff(*pages))
        assert np.array_equal(picture.pixels, LARGE)
        assert picture.notes == ("only the main picture of the file is used, not a transparency mask",)


def test_only_pages_of_full_size_are_missed():
    page = (LARGE, {"photometric": "rgb"})
    reduced = (THUMBNAIL, {"photometric": "rgb", "subfiletype": 1})
    assert read_image(tiff(page, reduced, reduced)).notes == ()
    assert read_image(tiff(page, reduced, page)).notes == ("only the first picture of the file is used",)


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_main_picture_that_lies_below_its_thumbnail_is_found(dtype, options):
    large = LARGE.astype(dtype)
    data = tiff(
        (THUMBNAIL, {"photometric": "rgb", "subfiletype": 1, "subifds": 1}),
        (large, {"photometric": "rgb", "compression": "deflate"}),
        **options,
    )
    assert np.array_equal(read_image(data).pixels, large)


def several(photo, code=None):
    """A JPEG with a second picture, in the Multi-Picture Format, of this kind."""
    stream = io.BytesIO()
    image = Image.fromarray(photo)
    image.save(stream, "MPO", save_all=True, append_images=[image.convert("L")])
    data = bytearray(stream.getvalue())
    if code is not None:
        block = data.index(b"MPF\0") + 4
        entries = data.index(b"\2\xb0\7\0", block)  # the tag, and its type
        second = block + int.from_bytes(data[entries + 8 : entries + 12], "little") + 16
        data[second : second + 4] = code.to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (None, "another picture"),
        (0x020002, "a stereo view"),
        (0x020001, "parts of a panorama"),
        (0x010001, None),  # a thumbnail, which is dropped like others
    ],
)
def test_the_second_picture_of_a_jpeg_is_said(photo, code, name):
    picture = read_image(several(photo, code))
    assert np.abs(picture.pixels.astype(int) - photo).mean() < 20  # of its quality 75
    assert picture.notes == ((f"only the main picture of the file is used, not {name}",) if name else ())


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ('hdrgm:Version="1.0"', "a gain map"),
        ('GCamera:MotionPhoto="1"', "a video"),
        ('GCamera:MotionPhoto="0"', None),
        ('GDepth:Format="RangeInverse"', "a depth map"),
    ],
)
def test_what_lies_behind_a_jpeg_is_said(saved, photo, said, name):
    data = saved(photo, "JPEG", xmp=f"<x:xmpmeta {said}/>".encode()) + saved(photo[..., 0], "JPEG")
    assert read_image(data).notes == ((f"only the main picture of the file is used, not {name}",) if name else ())


def test_layers_are_said():
    data = tiff(
        (
            LARGE,
            {"photometric": "rgb", "extratags": [(37724, 7, 40, b"Adobe Photoshop Document Data Block\0....", True)]},
        )
    )
    assert read_image(data).notes == ("only the main picture of the file is used, not its layers",)


@pytest.mark.parametrize(
    "first",
    [b"P5 2 1 255\n\1\2", b"P6\n1 1\n65535\n\1\2\3\4\5\6", b"P4\n# a comment\n9 1\n\xa0\0", b"P5 2 1 9\n\1\2\n"],
)
def test_netpbm_of_several_pictures_is_said(first):
    assert read_image(first).notes == ()
    assert read_image(first + b"P5 2 1 255\n\3\4").notes == ("only the first picture of the file is used",)
    assert read_image(first + b"something else").notes == ()


def test_gain_maps_of_telephones_are_said():
    """As Apple's have them, in a property of their own."""
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(np.full((32, 32, 3), 90, np.uint8))).save(stream)
    data = stream.getvalue()
    kind = b"urn:com:apple:photo:2020:aux:hdrgainmap\0"
    box = (12 + len(kind)).to_bytes(4, "big") + b"auxC" + bytes(4) + kind
    for name in (b"meta", b"iprp", b"ipco"):  # whose lengths grow
        at = data.index(name) - 4
        data = data[:at] + (int.from_bytes(data[at : at + 4], "big") + len(box)).to_bytes(4, "big") + data[at + 4 :]
    end = data.index(b"ipco") - 4 + int.from_bytes(data[data.index(b"ipco") - 4 :][:4], "big") - len(box)
    data = data[:end] + box + data[end:]
    header = read_avif(io.BytesIO(data))
    assert header.others == ("gain map",)
