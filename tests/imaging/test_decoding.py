import io
import logging
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.decoding import Header, read_header
from scales_cli.imaging.files import probe_image, read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Picture


def orientation_exif(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


@pytest.mark.parametrize(
    ("name", "image_format"),
    [("PNG", ImageFormat.PNG), ("TIFF", ImageFormat.TIFF), ("BMP", ImageFormat.BMP), ("PPM", ImageFormat.PPM)],
    ids=lambda value: str(value),
)
def test_read_image_gives_the_pixels(saved, photo, name, image_format):
    picture = read_image(saved(photo, name))
    assert np.array_equal(picture.pixels, photo)
    assert (picture.format, picture.kind, picture.lossless) == (image_format, "rgb", True)
    assert picture.notes == ()


def test_read_image_takes_paths_bytes_and_streams(saved, photo, tmp_path):
    data = saved(photo)
    (tmp_path / "a.png").write_bytes(data)
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), data, io.BytesIO(data)):
        assert np.array_equal(read_image(source).pixels, photo)


def test_read_image_goes_by_content_not_by_name(saved, photo, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(photo, "BMP"))
    assert read_image(path).format is ImageFormat.BMP


def test_a_header_that_was_packed_says_the_same(kinds):
    for name, data in kinds.items():
        header = probe_image(data)
        assert Header.unpacked(header.packed()) == header, name


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_read_image_takes_slim_pictures(saved, rng, shape):
    pixels = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert np.array_equal(read_image(saved(pixels)).pixels, pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_read_image_applies_orientation(saved, photo, name, orientation):
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(name, {})
    stored = read_image(saved(photo, name, **options)).pixels
    turn = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: lambda a: np.rot90(a, 1),
    }[orientation]
    data = saved(photo, name, exif=orientation_exif(orientation), **options)
    picture = read_image(data)
    assert np.array_equal(picture.pixels, turn(stored))
    header = read_header(io.BytesIO(data))
    assert (header.width, header.height) == (picture.width, picture.height)
    assert header.orientation == orientation
    assert picture.exif is None or 0x0112 not in Image.Exif() | _exif(picture.exif)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF"])
def test_resolutions_turn_with_the_picture(saved, photo, name, orientation):
    data = saved(photo, name, dpi=(600, 300), exif=orientation_exif(orientation))
    expected = (600, 300) if orientation < 5 else (300, 600)
    assert np.allclose(read_image(data).dpi, expected, atol=0.1)


def behind_the_pixels(data, chunk):
    """A PNG with one more chunk at its end."""
    return data[:-12] + chunk + data[-12:]


@pytest.mark.parametrize("place", ["before", "behind"])
@pytest.mark.parametrize("name", ["eXIf", "iTXt"])
def test_read_header_finds_the_orientation_wherever_it_stands(saved, photo, png_chunk, name, place):
    xmp = b"XML:com.adobe.xmp" + bytes(5) + b'<x tiff:Orientation="6"/>'
    body = orientation_exif(6).removeprefix(b"Exif\0\0") if name == "eXIf" else xmp
    chunk, data = png_chunk(name.encode(), body), saved(photo)
    data = data[:33] + chunk + data[33:] if place == "before" else behind_the_pixels(data, chunk)
    header, picture = read_header(io.BytesIO(data)), read_image(data)
    assert np.array_equal(picture.pixels, np.rot90(photo, -1))
    assert (header.width, header.height, header.orientation) == (picture.width, picture.height, 6)


def _exif(block):
    exif = Image.Exif()
    exif.load(block)
    return dict(exif)


def assert_header_foretells(data):
    header, layout = read_header(io.BytesIO(data)), read_image(data).layout
    expected = (layout.width, layout.height, layout.channels, layout.dtype, layout.format, layout.lossless)
    found = header.layout
    assert (found.width, found.height, found.channels, found.dtype, found.format, found.lossless) == expected
    assert header.decoding_bytes > layout.row_bytes * layout.height


def test_read_header_foretells_the_layout(kind, kinds):
    assert_header_foretells(kinds[kind])


def test_read_image_gives_what_pillow_decodes(kind, kinds):
    picture = read_image(kinds[kind])
    with Image.open(io.BytesIO(kinds[kind])) as decoded:
        expected = decoded.convert({"grey": "L", "grey+alpha": "LA", "rgb": "RGB", "rgba": "RGBA"}[picture.kind])
    assert np.array_equal(picture.pixels, np.asarray(expected).reshape(picture.pixels.shape))


def test_read_image_keeps_16_bits_of_grey_jpeg_2000(saved, rng):
    pixels = rng.integers(0, 65536, (9, 12), dtype=np.uint16)
    picture = read_image(saved(pixels, "JPEG2000"))
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels[..., 0], pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "image_format", [ImageFormat.PNG, ImageFormat.TIFF, ImageFormat.PPM], ids=lambda item: item.name
)
def test_read_header_foretells_the_layout_of_16_bits(rng, image_format, channels, encode):
    picture = Picture(rng.integers(0, 65536, (5, 6, channels), dtype=np.uint16))
    assert_header_foretells(encode(picture, image_format))


def test_read_header_foretells_the_layout_of_transparent_16_bits(png_with):
    chunks = [(b"tRNS", struct.pack(">HHH", 1, 2, 3)), (b"IDAT", zlib.compress(b"\0" + bytes(12)))]
    assert_header_foretells(png_with(2, 1, depth=16, chunks=chunks))


@pytest.mark.parametrize("magic", ["P2", "P3", "P5", "P6"])
@pytest.mark.parametrize("maximum", [1, 100, 255, 300, 65535])
def test_read_image_takes_netpbm_of_any_range(rng, magic, maximum):
    shape = (4, 5, 1 if magic in ("P2", "P5") else 3)
    samples = rng.integers(0, maximum + 1, shape, dtype=np.uint16)
    if magic in ("P2", "P3"):
        body = " ".join(str(value) for value in samples.reshape(-1)).encode()
    else:
        body = samples.astype(">u2" if maximum > 255 else np.uint8).tobytes()
    data = f"{magic}\n5 4\n{maximum}\n".encode() + body
    full = 65535 if maximum > 255 else 255
    if magic == "P3" and maximum > 255:
        with pytest.raises(InputError, match="16-bit"):
            read_image(data)
        return
    picture = read_image(data)
    assert picture.pixels.dtype == (np.uint16 if maximum > 255 else np.uint8)
    assert np.abs(picture.pixels - samples * (full / maximum)).max() < 0.501
    assert_header_foretells(data)
    with pytest.raises(InputError):
        read_image(data[: -len(body) // 2])


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_read_image_ignores_meaningless_orientation(saved, photo, orientation):
    assert np.array_equal(read_image(saved(photo, exif=orientation_exif(orientation))).pixels, photo)


def test_read_image_keeps_grey(saved, photo):
    picture = read_image(saved(photo[..., 0]))
    assert picture.kind == "grey"
    assert np.array_equal(picture.pixels[..., 0], photo[..., 0])


def test_read_image_makes_grey_of_1_bit(saved, rng):
    bits = rng.integers(0, 2, (9, 13)).astype(bool)
    for name in ("PNG", "TIFF", "PPM", "BMP"):
        picture = read_image(saved(Image.fromarray(bits), name))
        assert picture.kind == "grey"
        assert np.array_equal(picture.pixels[..., 0], bits * np.uint8(255))


def test_read_image_keeps_grey_with_alpha(saved, rng):
    pixels = rng.integers(0, 256, (7, 5, 2), dtype=np.uint8)
    for name in ("PNG", "TIFF"):
        picture = read_image(saved(Image.fromarray(pixels), name))
        assert picture.kind == "grey+alpha"
        assert np.array_equal(picture.pixels, pixels)


def test_read_image_expands_palettes(saved, rng):
    image = Image.fromarray(rng.integers(0, 8, (9, 11), dtype=np.uint8), "L").convert("P")
    image.putpalette(rng.integers(0, 256, 24, dtype=np.uint8).tobytes())
    picture = read_image(saved(image))
    assert picture.kind == "rgb"
    assert np.array_equal(picture.pixels, np.asarray(image.convert("RGB")))


def test_read_image_expands_palettes_with_transparency(saved):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    picture = read_image(saved(image, transparency=bytes([128, 255])))
    assert picture.pixels.tolist() == [[[10, 20, 30, 128], [40, 50, 60, 255]]]


def test_read_image_reads_transparent_colors(saved):
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (9, 9, 9))
    assert read_image(saved(image, transparency=(1, 2, 3))).pixels[0, :, 3].tolist() == [0, 255]
    grey = Image.new("L", (2, 1), 7)
    grey.putpixel((1, 0), 8)
    picture = read_image(saved(grey, transparency=8))
    assert picture.kind == "grey+alpha"
    assert picture.pixels[0, :, 1].tolist() == [255, 0]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_read_image_reads_transparent_grey_of_few_bits(png_with, depth):
    """The transparent value is in the file's own depth."""
    top = 2**depth - 1
    row = int(f"{top:0{depth}b}".ljust(8, "0"), 2)  # one white pixel, then black
    data = png_with(
        2,
        1,
        depth=depth,
        color=0,
        chunks=[(b"tRNS", struct.pack(">H", top)), (b"IDAT", zlib.compress(bytes([0, row])))],
    )
    assert read_image(data).pixels.tolist() == [[[255, 0], [0, 255]]]


def test_read_image_reads_transparent_16_bit_color(png_with):
    row = struct.pack(">6H", 1, 2, 3, 1, 2, 4)
    chunks = [(b"tRNS", struct.pack(">HHH", 1, 2, 3)), (b"IDAT", zlib.compress(b"\0" + row))]
    assert read_image(png_with(2, 1, depth=16, chunks=chunks)).pixels.tolist() == [[[1, 2, 3, 0], [1, 2, 4, 65535]]]
    chunks = [(b"tRNS", struct.pack(">H", 3)), (b"IDAT", zlib.compress(b"\0" + row[2:6]))]
    assert read_image(png_with(2, 1, depth=16, color=0, chunks=chunks)).pixels.tolist() == [[[2, 65535], [3, 0]]]


def test_read_image_keeps_16_bit_grey_with_alpha(png_with):
    row = struct.pack(">4H", 1000, 2000, 3000, 65535)
    data = png_with(2, 1, depth=16, color=4, chunks=[(b"IDAT", zlib.compress(b"\0" + row))])
    assert read_image(data).pixels.tolist() == [[[1000, 2000], [3000, 65535]]]


def test_read_image_takes_the_picture_that_stands_in_for_a_deep_animation(png_with):
    """OpenCV would give the animation's first frame."""
    row, other = (zlib.compress(b"\0" + struct.pack(">6H", *range(first, first + 6))) for first in (1000, 9000))
    chunks = [(b"acTL", struct.pack(">II", 2, 0)), (b"IDAT", row)]
    for number in (0, 2):
        chunks.append((b"fcTL", struct.pack(">5I2H2B", number, 2, 1, 0, 0, 1, 10, 0, 0)))
        chunks.append((b"fdAT", struct.pack(">I", number + 1) + other))
    picture = read_image(png_with(2, 1, depth=16, chunks=chunks))
    assert picture.pixels.tolist() == [[[1000, 1001, 1002], [1003, 1004, 1005]]]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_read_image_keeps_16_bit_color(rng, channels, extension):
    pixels = rng.integers(0, 65536, (9, 12, channels), dtype=np.uint16)
    order = [2, 1, 0, 3][:channels]
    picture = read_image(cv2.imencode(extension, pixels[..., order])[1].tobytes())
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels, pixels)


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_read_image_keeps_16_bit_grey(saved, rng, name):
    pixels = rng.integers(0, 65536, (9, 12), dtype=np.uint16)
    picture = read_image(saved(Image.fromarray(pixels), name))
    assert picture.kind == "grey"
    assert np.array_equal(picture.pixels[..., 0], pixels)


def test_read_image_believes_the_header_on_depth(rng):
    """A 16-bit file whose values are all below 256 stays one."""
    pixels = rng.integers(0, 256, (6, 6, 3), dtype=np.uint16)
    assert np.array_equal(read_image(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()).pixels, pixels)


@pytest.mark.parametrize("maximum", [65535, 1023, 300])
@pytest.mark.parametrize("magic", ["P5", "P6"])
def test_read_image_stretches_deep_netpbm(rng, maximum, magic):
    shape = (4, 5, 1 if magic == "P5" else 3)
    samples = rng.integers(0, maximum + 1, shape, dtype=np.uint16)
    data = f"{magic}\n# a comment\n5 4\n{maximum}\n".encode() + samples.astype(">u2").tobytes()
    expected = np.rint(samples * (65535 / maximum))
    picture = read_image(data)
    assert picture.pixels.dtype == np.uint16
    assert np.abs(picture.pixels - expected).max() <= 1


def test_read_image_converts_cmyk(saved, photo):
    cmyk = Image.fromarray(photo).convert("CMYK")
    for name in ("JPEG", "TIFF"):
        picture = read_image(saved(cmyk, name))
        assert picture.kind == "rgb"
        assert picture.notes
        assert np.abs(picture.pixels.astype(int) - photo).mean() < 12


def test_read_image_tells_lossy_webp(saved, photo):
    assert read_image(saved(photo, "WEBP", lossless=True)).lossless
    assert not read_image(saved(photo, "WEBP", quality=80)).lossless
    rgba = np.dstack([photo, photo[..., :1]])
    assert not read_image(saved(rgba, "WEBP", quality=80)).lossless
    assert read_image(saved(rgba, "WEBP", lossless=True)).lossless
    assert not read_image(saved(photo, "JPEG")).lossless
    assert read_image(saved(photo, "WEBP")).format is ImageFormat.WEBP
    assert read_image(saved(photo, "JPEG")).format is ImageFormat.JPEG


def test_read_image_takes_the_first_frame(saved, photo):
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    for name in ("TIFF", "PNG", "WEBP"):
        options = {"lossless": True} if name == "WEBP" else {}
        picture = read_image(saved(frames[0], name, save_all=True, append_images=frames[1:], **options))
        assert np.array_equal(picture.pixels, photo)
        assert "first" in picture.notes[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate"])
def test_read_image_inverts_white_is_zero(saved, rng, dtype, compression):
    grey = rng.integers(0, np.iinfo(dtype).max + 1, (5, 6), dtype=dtype)
    data = bytearray(saved(grey, "TIFF", compression=compression))
    entry = data.index(struct.pack("<HHI", 262, 3, 1))
    data[entry + 8] = 0  # as if the same numbers meant the opposite
    assert np.array_equal(read_image(bytes(data)).pixels[..., 0], np.iinfo(dtype).max - grey)


def test_read_header_knows_16_bit_grey_with_alpha(encode):
    header = read_header(io.BytesIO(encode(Picture(np.full((3, 4, 2), 700, np.uint16)), ImageFormat.PNG)))
    assert (header.is_grey, header.has_alpha) == (True, True)


def test_read_image_lets_no_library_speak(rng, capfd, encode):
    pixels = rng.integers(0, 65536, (4, 5, 3), dtype=np.uint16)
    data = encode(Picture(pixels, dpi=(300, 300)), ImageFormat.TIFF)
    unknown = data.replace(struct.pack("<HHI", 296, 3, 1), struct.pack("<HHI", 300, 3, 1))
    assert np.array_equal(read_image(unknown).pixels, pixels)
    many = data.replace(struct.pack("<HHI", 277, 3, 1) + b"\3", struct.pack("<HHI", 277, 3, 1) + b"\x63")
    with pytest.raises(InputError):
        read_image(many)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("PIL").handlers  # else Python itself prints what nobody handles


def test_read_header_foretells_that_deep_cmyk_becomes_8_bits():
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.full((5, 6, 4), 30_000, np.uint16), photometric="separated")
    assert_header_foretells(stream.getvalue())
