import io
import struct

import cv2
import numpy as np
import pytest
import tifffile

from scales_cli.errors import InputError
from scales_cli.imaging.files import probe_image, read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Picture
from scales_cli.imaging.readers.samples import unpremultiplied
from scales_cli.imaging.tiff_directory import LONG, directory

UNSPECIFIED, PREMULTIPLIED, ALPHA = 0, 1, 2


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 65536, (37, 45, 4), dtype=np.uint16)


def written(pixels, *, planar=False, extra=(), **options):
    stream = io.BytesIO()
    options["photometric"] = "rgb" if pixels.shape[2] - len(extra) == 3 else "minisblack"
    if planar:
        pixels, options["planarconfig"] = np.ascontiguousarray(np.moveaxis(pixels, 2, 0)), "separate"
    else:
        options["planarconfig"] = "contig"
    tifffile.imwrite(stream, pixels, extrasamples=extra, **options)
    return stream.getvalue()


def read_as_foretold(data):
    header, picture = probe_image(data), read_image(data)
    assert (header.width, header.height) == (picture.width, picture.height)
    assert (header.layout.channels, header.layout.dtype) == (picture.pixels.shape[2], picture.pixels.dtype)
    assert picture.format is ImageFormat.TIFF
    return picture.pixels


@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("tile", [None, (16, 32)], ids=["strips", "tiles"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planar", [False, True], ids=["contiguous", "planar"])
@pytest.mark.parametrize(("channels", "extra"), [([0, 3], [ALPHA]), ([0, 1, 2], []), ([0, 1, 2, 3], [ALPHA])])
def test_all_layouts_give_the_samples(pixels, channels, extra, planar, byteorder, tile, predictor):
    expected = pixels[..., channels]
    options = {"byteorder": byteorder, "tile": tile, "planar": planar, "extra": extra}
    if not tile:
        options["rowsperstrip"] = 10
    if predictor:
        options |= {"compression": "deflate", "predictor": True}
    assert np.array_equal(read_as_foretold(written(expected, **options)), expected)


@pytest.mark.parametrize("planar", [False, True], ids=["contiguous", "planar"])
@pytest.mark.parametrize(("channels", "count"), [([0, 3], 1), ([0, 1, 2, 3], 3)])
def test_extra_samples_of_no_meaning_are_left_out(pixels, planar, channels, count):
    data = written(pixels[..., channels], planar=planar, extra=[UNSPECIFIED])
    assert np.array_equal(read_as_foretold(data), pixels[..., :count])


@pytest.mark.parametrize("planar", [False, True], ids=["contiguous", "planar"])
@pytest.mark.parametrize("channels", [[0, 3], [0, 1, 2, 3]])
def test_premultiplied_colors_are_divided(pixels, channels, planar):
    pixels[0, :9, 3] = 0
    pixels[1, :9, 3] = 65535
    expected = pixels[..., channels].astype(np.float64)
    multiplied = expected.copy()
    multiplied[..., :-1] = np.rint(expected[..., :-1] * (expected[..., -1:] / 65535))
    result = read_as_foretold(written(multiplied.astype(np.uint16), planar=planar, extra=[PREMULTIPLIED]))
    alpha = result[..., -1]
    assert np.array_equal(alpha, pixels[..., 3])
    assert (result[alpha == 0][:, :-1] == 0).all()
    opaque = alpha == 65535
    assert np.array_equal(result[opaque], expected[opaque])
    error = np.abs(result - expected)[..., :-1] * (alpha[..., None] / 65535)  # as far as it can be seen
    assert error.max() < 1


def test_unpremultiplied_inverts_every_product(rng):
    alpha = rng.integers(1, 65536, 10_000).astype(np.uint64)
    multiplied = rng.integers(0, alpha + 1)
    pixels = np.stack([multiplied, alpha], axis=1)[None].astype(np.uint16)
    divided = unpremultiplied(pixels)[0, :, 0].astype(np.uint64)
    assert np.array_equal((divided * alpha + 32767) // 65535, multiplied)
    assert unpremultiplied(np.array([[[60000, 30000]]], np.uint16)).tolist() == [[[65535, 30000]]]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_what_is_written_is_read(pixels, channels, encode):
    data = encode(Picture(pixels[..., :channels]), ImageFormat.TIFF)
    assert np.array_equal(read_as_foretold(data), pixels[..., :channels])


@pytest.mark.parametrize("big", [False, True])
def test_large_and_small_directories_are_read(pixels, big):
    data = written(pixels[..., :3], bigtiff=big, rowsperstrip=1)
    assert np.array_equal(read_as_foretold(data), pixels[..., :3])


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("planar", [False, True], ids=["contiguous", "planar"])
def test_truncated_files_are_refused(pixels, planar, compression):
    data = written(pixels, planar=planar, extra=[ALPHA], compression=compression)
    for share in (0.3, 0.9):
        with pytest.raises(InputError):
            read_image(data[: int(len(data) * share)])


def test_strips_that_overlap_are_refused(pixels):
    """As many as the file is long, each as long as the file, would be its square."""
    data = bytearray(written(pixels[..., :3], rowsperstrip=1, compression="deflate"))
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages[0].tags
        for name, value in (("StripOffsets", 8), ("StripByteCounts", len(data) - 8)):
            code = {3: "H", 4: "I"}[tags[name].dtype]
            struct.pack_into(f"<37{code}", data, tags[name].valueoffset, *[value] * 37)
    with pytest.raises(InputError, match="damaged"):
        read_image(bytes(data))


def test_twelve_bits_of_grey_fill_the_range(rng):
    values = rng.integers(0, 4096, (6, 8))
    values[0, :2] = 0, 4095
    pairs = values.reshape(-1, 2)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], 1)
    body = packed.astype(np.uint8).tobytes()
    values_of = {256: 8, 257: 6, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 6, 279: len(body)}
    tags = {tag: (LONG, (value,)) for tag, value in values_of.items()}
    data = b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory(tags, 8 + len(body))
    assert np.array_equal(read_as_foretold(data)[..., 0], np.rint(values * (65535 / 4095)))


def turned(pixels, orientation):
    """By EXIF's own words: 1 nothing, 2 mirrored, 3 half a turn, 4 upside down, 5 to 8 with rows as columns."""
    rows = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    return rows[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_image_turns_16_bit_tiff(rng, orientation):
    pixels = rng.integers(0, 65536, (5, 4, 3), dtype=np.uint16)
    data = bytearray(cv2.imencode(".tiff", pixels[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes())
    data = with_tiff_orientation(bytes(data), orientation)
    assert np.array_equal(read_image(data).pixels, turned(pixels, orientation))


def with_tiff_orientation(data, orientation):
    """Appends a copy of the (little-endian) directory with tag 274."""
    assert data[:2] == b"II"
    (offset,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, offset)
    entries = [data[offset + 2 + 12 * i : offset + 14 + 12 * i] for i in range(count)]
    entries = [entry for entry in entries if entry[:2] != struct.pack("<H", 274)]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    data += bytes(len(data) % 2)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory
