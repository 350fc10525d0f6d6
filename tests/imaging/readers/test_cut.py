"""Pictures that are cut off: those that lack nothing are read, of others what is left, if that is asked for."""

import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.imaging.files import probe_image, read_image


@pytest.fixture
def detailed(rng):
    return Image.fromarray(rng.integers(0, 256, (96, 80, 3), dtype=np.uint8))


JPEGS = [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}]


@pytest.mark.parametrize("options", JPEGS, ids=str)
@pytest.mark.parametrize("tail", [b"", b"\xff", b"\0" * 100, b"\xff" * 9], ids=repr)
def test_a_jpeg_without_the_mark_of_its_end_is_read(saved, detailed, options, tail):
    data = saved(detailed, "JPEG", quality=80, **options)
    picture = read_image(data[:-2] + tail)
    assert np.array_equal(picture.pixels, read_image(data).pixels)
    assert picture.notes == ("the mark of its end is missing, but none of its pixels",)
    assert read_image(data).notes == ()


@pytest.mark.parametrize("options", JPEGS, ids=str)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_jpeg_that_is_cut_off_is_salvaged_if_asked_for(saved, detailed, options, share):
    data = saved(detailed, "JPEG", quality=80, **options)
    cut = data[: int(share * len(data))]
    with pytest.raises(InputError, match="truncated") as caught:
        read_image(cut)
    assert "--salvage" in caught.value.hint
    picture, whole = read_image(cut, salvage=True), read_image(data)
    assert (picture.width, picture.height) == (80, 96)
    (note,) = picture.notes
    assert note.startswith("it is cut off: ")
    if "progressive" not in options:
        missing = int(note.removeprefix("it is cut off: ").split()[0])
        rows = max(0, 96 * (100 - missing) // 100 - 2)
        assert np.array_equal(picture.pixels[:rows], whole.pixels[:rows])
        assert abs(missing - 100 * (1 - share)) < 25  # six rows of blocks


@pytest.mark.parametrize("progressive", [False, True])
def test_zeros_in_the_place_of_data_are_missing_data(saved, detailed, progressive):
    """As of a download for which all room was taken before."""
    data = saved(detailed, "JPEG", progressive=progressive)
    holed = data[: len(data) // 2].ljust(len(data), b"\0")
    with pytest.raises(InputError, match="truncated"):
        read_image(holed)
    assert "cut off" in read_image(holed, salvage=True).notes[0]
    padded = read_image(data[:-2] + bytes(100_000))
    assert np.array_equal(padded.pixels, read_image(data).pixels)
    assert padded.notes == ("the mark of its end is missing, but none of its pixels",)


def test_a_jpeg_that_lacks_bytes_is_not_taken_for_one_that_lacks_none(saved, rng):
    """As few as one: whatever is behind them."""
    data = saved(Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)), "JPEG", quality=95)
    for count in range(2, 12):
        with pytest.raises(InputError, match="truncated"):
            read_image(data[: -2 - count])


def test_a_progressive_jpeg_of_which_whole_scans_are_missing_is_cut_off(saved, detailed):
    data = saved(detailed, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(InputError, match="truncated"):
        read_image(data[:last])
    assert "detail" in read_image(data[:last], salvage=True).notes[0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_a_png_that_is_cut_off_is_salvaged_if_asked_for(saved, detailed, mode, share):
    data = saved(detailed.convert(mode if mode != "I;16" else "L").convert(mode))
    cut = data[: int(share * len(data))]
    with pytest.raises(InputError):
        read_image(cut)
    picture, whole = read_image(cut, salvage=True), read_image(data)
    header = probe_image(cut)
    assert (header.width, header.height) == (picture.width, picture.height) == (80, 96)
    (note,) = picture.notes
    missing = int(note.removeprefix("it is cut off: ").split()[0])
    rows = 96 * (100 - missing) // 100 - 1
    assert rows > 10
    assert np.array_equal(picture.pixels[:rows], whole.pixels[:rows])
    assert not picture.pixels[-2:, :, : 1 if mode in ("P",) else None].any() or mode == "P"
    assert abs(missing - 100 * (1 - share)) < 25
    assert read_image(data, salvage=True).notes == whole.notes


def test_other_files_are_read_or_refused_as_without(kinds):
    for name, data in kinds.items():
        if name.endswith((".png", ".jpg")):
            continue
        assert np.array_equal(read_image(data, salvage=True).pixels, read_image(data).pixels)


def test_a_png_with_a_damaged_text_is_read(saved, photo, png_chunk):
    data = saved(photo)
    text = png_chunk(b"tEXt", b"Title\0hello")
    for damaged in (text[:-1] + bytes((text[-1] ^ 1,)), text.replace(b"hello", b"hallo")):
        picture = read_image(data[:33] + damaged + data[33:])
        assert np.array_equal(picture.pixels, photo)
        assert picture.notes == ("a text in it is damaged and was left out",)


@pytest.mark.parametrize("place", [-17, 0.2, 0.6, 0.95])
def test_damaged_pixels_of_png_are_salvaged_if_asked_for(saved, detailed, place):
    """The checksum that ends them, or data anywhere: the rows above are as they were."""
    data = saved(detailed)
    at = data.index(b"IDAT") + 4
    at = len(data) + place if place < 0 else at + int(place * (len(data) - at - 16))
    damaged = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
    with pytest.raises(InputError) as caught:
        read_image(damaged)
    assert "--salvage" in caught.value.hint
    picture, whole = read_image(damaged, salvage=True), read_image(data)
    (note,) = picture.notes
    assert "cut off" in note or "may look wrong" in note
    intact = 96 if place < 0 else int(96 * place * 0.6)
    assert np.array_equal(picture.pixels[:intact], whole.pixels[:intact])


@pytest.mark.parametrize("chunk", [b"pHYs", b"gAMA", b"sRGB", b"cHRM"])
def test_a_png_with_a_damaged_statement_is_read(saved, photo, png_chunk, chunk):
    data = saved(photo)
    stated = png_chunk(chunk, bytes({b"pHYs": 9, b"gAMA": 4, b"sRGB": 1, b"cHRM": 32}[chunk]))
    picture = read_image(data[:33] + stated[:-1] + bytes((stated[-1] ^ 1,)) + data[33:])
    assert np.array_equal(picture.pixels, photo)
    assert picture.notes == (f"its {chunk.decode()} is damaged and was left out",)


@pytest.mark.parametrize("name", ["PNG", "JPEG"])
def test_damage_is_salvaged_or_refused(saved, detailed, rng, name):
    data = saved(detailed, name)
    for _ in range(40):
        damaged = bytearray(data[: rng.integers(len(data))])
        for place in rng.integers(0, max(1, len(damaged)), 2):
            damaged[place : place + 1] = rng.bytes(1)
        try:
            picture = read_image(bytes(damaged) or b"x", salvage=True, max_pixels=2**20)
        except InputError:
            continue
        assert picture.width * picture.height <= 2**20
