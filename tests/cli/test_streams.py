"""Standard output carries results only: a picture's very bytes, paths, or lines of JSON."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FORMATS = ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM"]
MODES = ["RGB", "L", "RGBA", "LA", "P", "1", "CMYK"]


def picture(rng, image_format):
    """Its file, of a random size and a mode the format holds."""
    shape = (*rng.integers(1, 14, 2), 3)
    image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
    while True:
        stream = io.BytesIO()
        try:
            image.convert(str(rng.choice(MODES))).save(stream, image_format)
        except OSError:  # one that it does not hold
            continue
        return stream.getvalue()


@pytest.mark.parametrize("count", [18, pytest.param(100, marks=pytest.mark.slow)])
def test_upscale_through_streams_equals_files(upscale, rng, monkeypatch, count):
    for number in range(count):
        data = picture(rng, FORMATS[number % len(FORMATS)])
        Path("b.any").write_bytes(data)
        assert upscale("b.any", "-q", "-o", "out/", "--overwrite")[0] == 0
        (written,) = Path("out").iterdir()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert upscale("-", "-q", "-o", "-") == (0, written.read_bytes(), "")
        assert upscale("b.any", "-q", "-o", "-") == (0, written.read_bytes(), "")
        written.unlink()


def test_upscale_warns_beside_the_picture_on_standard_output(upscale):
    Image.new("CMYK", (4, 4)).save("b.jpg")
    code, out, err = upscale("b.jpg", "-o", "-")
    assert (code, out[:2], out[-2:]) == (0, b"\xff\xd8", b"\xff\xd9")
    assert err.startswith("scales: warning: b.jpg: CMYK")


def test_json_lines_parse_whatever_happens(upscale):
    Image.new("RGBA", (4, 4), (0, 0, 0, 9)).save("b.png")
    Path("c.png").write_bytes(Path("b.png").read_bytes()[:50])
    Path('d"\n\x1b.png').write_text("text")
    names = ["a.png", "b.png", "c.png", 'd"\n\x1b.png', "missing.png", "."]
    code, out, err = upscale(*names, "--format", "jpg", "-o", "out/", "--json")
    assert (code, out.isascii()) == (1, True)
    lines = [json.loads(line) for line in out.splitlines()]
    assert sorted(line["input"] for line in lines) == sorted(names)
    assert [line["input"] for line in lines if "error" not in line] == ["a.png", "b.png"]
    assert len(err.splitlines()) == 6  # a warning, four failures and their number


@pytest.mark.parametrize("arguments", [["missing.png"], ["a.png", "-s", "9"], ["a.png", "-o", "a.xyz"], ["--nonsense"]])
def test_standard_output_is_empty_after_errors(upscale, arguments):
    code, out, err = upscale(*arguments)
    assert (code > 1, out) == (True, b"")
    assert err
