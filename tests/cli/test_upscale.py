import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.cli.app import main
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import ImageFormat
from scales_cli.imaging.picture import Picture


def test_upscale_writes_beside_the_input(upscale, folder):
    assert upscale("a.png") == (0, b"a_x2.png\n", "")
    assert (read_image("a_x2.png").width, read_image("a_x2.png").height) == (24, 18)
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "a_x2.png"]


def test_upscale_prints_a_path_a_line(upscale):
    Image.new("L", (4, 4)).save("b.jpg")
    assert upscale("a.png", "b.jpg", "-o", "out")[:2] == (0, b"out/a_x2.png\nout/b_x2.jpg\n")


def test_upscale_prints_json_lines(upscale, model):
    Image.new("L", (4, 5)).save("b.jpg")
    code, out, err = upscale("a.png", "b.jpg", "-o", "out/", "--json", "-q")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [(line["input"], line["output"]) for line in lines] == [("a.png", "out/a_x2.png"), ("b.jpg", "out/b_x2.jpg")]
    assert (lines[1]["width"], lines[1]["height"], lines[1]["scale"]) == (8, 10, 2)
    assert lines[0]["model"] == Path(model).stem
    assert lines[0]["seconds"] >= 0


def test_upscale_quiet_prints_nothing(upscale):
    Image.new("RGBA", (4, 4), (0, 0, 0, 9)).save("b.png")
    assert upscale("b.png", "-q", "-o", "b.jpg") == (0, b"", "")


def test_upscale_warns_of_losses(upscale):
    Image.new("RGBA", (4, 4), (0, 0, 0, 9)).save("b.png")
    code, out, err = upscale("b.png", "-o", "b.jpg")
    assert (code, out) == (0, b"b.jpg\n")
    assert err.startswith("scales: warning: b.png: JPEG holds no transparency")


def test_upscale_result_does_not_depend_on_threads(upscale, rng):
    Image.fromarray(rng.integers(0, 256, (70, 90, 4), dtype=np.uint8)).save("b.png")
    results = [upscale("b.png", "-o", "-", "-t", threads)[1] for threads in ("1", "2", "5")]
    assert results[0] == results[1] == results[2]


def test_upscale_keeps_16_bits(upscale, rng):
    Image.fromarray(rng.integers(0, 65536, (6, 7), dtype=np.uint16)).save("b.tif")
    assert upscale("b.tif")[0] == 0
    assert read_image("b_x2.tif").pixels.dtype == np.uint16


def test_upscale_keeps_the_levels_of_16_bits(upscale, folder):
    Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256)).save("b.png")
    assert main(["upscale", "b.png", "-s", "2", "-m", "tiny"]) == 0
    assert len(np.unique(read_image("b_x2.png").pixels)) >= 0.99 * 65536


def test_upscale_goes_on_after_failures(upscale):
    Path("text.png").write_text("hello")
    code, out, err = upscale("text.png", "a.png", "missing.png", ".", "-o", "out")
    assert (code, out) == (1, b"out/a_x2.png\n")
    lines = err.splitlines()
    assert [line.split(":")[2].strip() for line in lines[:3]] == ["text.png", "missing.png", "."]
    assert "3 of 4" in lines[3]
    assert all(line.startswith("scales: error: ") for line in lines)


BROKEN = {
    "empty.png": b"",
    "text.png": b"this is text",
    "cut.png": None,
    "vector.svg": b"<svg/>",
    "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "header.bmp": b"BM" + bytes(30),
}


@pytest.mark.parametrize("name", BROKEN)
def test_upscale_of_broken_input_leaves_nothing_behind(upscale, folder, name):
    Path(name).write_bytes(BROKEN[name] if BROKEN[name] is not None else Path("a.png").read_bytes()[:-30])
    before = sorted(folder.iterdir())
    code, out, err = upscale(name)
    assert (code, out) == (3, b"")
    assert err.startswith(f"scales: error: {name}: ")
    assert err.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_upscale_of_a_folder(upscale):
    code, _, err = upscale(".")
    assert code == 3
    assert "folder" in err


def test_upscale_prints_json_lines_of_failures(upscale):
    code, out, err = upscale("missing.png", "a.png", "--json")
    lines = {line["input"]: line for line in map(json.loads, out.splitlines())}
    assert (code, err.count("\n")) == (1, 2)
    assert set(lines["missing.png"]) == {"input", "error", "hint", "exit_code"}
    assert lines["missing.png"]["exit_code"] == 3
    assert lines["missing.png"]["error"].startswith("missing.png: ")
    assert lines["a.png"]["output"] == "a_x2.png"
    code, out, err = upscale("missing.png", "--json")
    assert (code, json.loads(out), err.count("\n")) == (3, lines["missing.png"], 1)


@pytest.mark.parametrize("scale", ["5", "two", "1", "-2", ""])
def test_upscale_names_the_scales(upscale, scale):
    code, _, err = upscale("a.png", "-s", scale)
    assert code == 2
    assert "above 1, up to 4" in err


def test_upscale_of_an_empty_name(upscale):
    code, _, err = upscale("")
    assert code == 2
    assert "name is empty" in err


def test_upscale_makes_pgm_of_16_bit_grey_with_alpha(upscale, encode):
    Path("b.png").write_bytes(encode(Picture(np.full((3, 4, 2), 700, np.uint16)), ImageFormat.PNG))
    code, _, err = upscale("b.png", "-o", "b.pgm")
    assert code == 0
    assert "transparency" in err
    assert read_image("b.pgm").kind == "grey"


def test_a_damaged_picture_is_named_once(upscale):
    data = Path("a.png").read_bytes()
    Path("cut.png").write_bytes(data[: len(data) - 40])
    code, _, err = upscale("cut.png")
    assert code == 3
    assert err.count("cut.png") == 1


def test_upscale_writes_the_format_that_is_asked_for(upscale):
    assert upscale("a.png", "--format", "webp")[1] == b"a_x2.webp\n"
    assert upscale("a.png", "--format", "JPG", "-o", "out/")[1] == b"out/a_x2.jpg\n"
    assert upscale("a.png", "--format", "tiff", "-o", "-")[1][:2] == b"II"
    assert upscale("a.png", "--format", "webp", "-o", "b.png")[0] == 2


def test_upscale_makes_pngs_of_what_it_only_reads(upscale):
    Image.open("a.png").save("b.gif")
    assert upscale("b.gif")[1] == b"b_x2.png\n"
    code, _, err = upscale("b.gif", "-o", "c.gif")
    assert code == 4
    assert "GIF is read, but not written" in err


@pytest.mark.parametrize(
    "arguments",
    [("--format", "gif"), ("--quality", "0"), ("--quality", "9", "--lossless"), ("--background", "sky"),
     ("--background", "#0000"), ("--metadata", "all")],
)  # fmt: skip
def test_upscale_refuses_options_that_cannot_be_meant(upscale, arguments):
    assert upscale("a.png", *arguments)[0] == 2


def test_upscale_puts_transparent_pictures_on_a_background(upscale):
    Image.new("LA", (5, 4), (0, 0)).save("b.png")
    assert upscale("b.png", "--background", "red") == (0, b"b_x2.png\n", "")
    assert read_image("b_x2.png").pixels[3, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "name", "size"),
    [
        (("-s", "1.5"), "a_x1.5.png", (18, 14)),
        (("-s", "2.0"), "a_x2.png", (24, 18)),
        (("--width", "20"), "a_w20.png", (20, 15)),
        (("--max-size", "16"), "a_max16.png", (16, 12)),
        (("--width", "100", "--height", "10"), "a_w100_h10.png", (13, 10)),
        (("--width", "6"), "a_w6.png", (6, 5)),
    ],
)
def test_upscale_reaches_sizes_between(folder, arguments, name, size, capfd):
    assert main(["upscale", "a.png", "-m", "tiny", *arguments]) == 0
    assert capfd.readouterr().out == f"{name}\n"
    with Image.open(name) as picture:
        assert picture.size == size


@pytest.fixture
def animation(folder):
    colors = ("red", "lime", "blue")
    first, *others = (Image.new("RGB", (10, 8), color) for color in colors)
    first.save("b.gif", save_all=True, append_images=others, duration=[50, 70, 90], loop=0)
    return "b.gif"


@pytest.mark.parametrize(("arguments", "name"), [((), "b_x2.webp"), (("--format", "png"), "b_x2.png")])
def test_upscale_enlarges_all_frames_if_told_to(upscale, animation, arguments, name):
    assert upscale(animation, "--frames", "all", *arguments) == (0, f"{name}\n".encode(), "")
    with Image.open(name) as picture:
        assert (picture.size, picture.n_frames, picture.info["loop"]) == ((20, 16), 3, 0)
        seen = []
        for index in range(3):
            picture.seek(index)
            picture.load()
            brightest = int(np.argmax(picture.convert("RGB").getpixel((5, 5))))  # a random network shifts all alike
            seen.append((brightest, round(picture.info["duration"])))
    assert seen == [(0, 50), (1, 70), (2, 90)]


def test_upscale_warns_that_one_frame_is_used(upscale, animation):
    code, out, err = upscale(animation)
    assert (code, out) == (0, b"b_x2.png\n")
    assert "only the first picture" in err


def test_upscale_refuses_animations_for_other_formats(upscale, animation):
    code, _, err = upscale(animation, "--frames", "all", "-o", "b.jpg")
    assert code == 4
    assert "JPEG holds no animation" in err


@pytest.mark.parametrize("name", ["result", "result.v2", "a b"])
def test_a_format_needs_no_extension(upscale, name):
    assert upscale("a.png", "-o", name, "--format", "webp") == (0, f"{name}\n".encode(), "")
    assert read_image(name).format is ImageFormat.WEBP
    code, _, error = upscale("a.png", "-o", name, "--overwrite")
    assert code == 4
    assert "--format" in error
    assert upscale("a.png", "-o", "b.jpg", "--format", "png")[0] == 2


@pytest.mark.parametrize(("source", "target"), [("/dev/stdin", "/dev/stdout"), ("/proc/self/fd/0", "/proc/self/fd/1")])
def test_standard_streams_have_names(folder, spawn, model, source, target):
    options = ["-s", "2", "-m", model, "-t", "1"]
    arguments = ["upscale", source, "-o", target, "--format", "jpg"]
    result = spawn(*arguments, *options, input=Path("a.png").read_bytes())
    assert (result.returncode, result.stdout[:2], result.stderr) == (0, b"\xff\xd8", b"")


@pytest.mark.parametrize(("arguments", "noted"), [(["--width", "11"], True), (["--max-size", "12"], False)])
def test_upscale_says_that_it_shrinks(folder, model, arguments, noted, capfd):
    assert main(["upscale", "a.png", "-m", model, "-o", "b.png", *arguments]) == 0
    assert ("shrunk from 12 x 9 pixels" in capfd.readouterr().err) == noted
