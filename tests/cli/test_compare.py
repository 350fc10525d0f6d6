"""Pages of `scales compare`: the pictures that `scales upscale` makes, whole or in part, and what is said of them."""

import base64
import io
import json
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.random_weights import random_weights
from scales_cli.cli.app import main
from scales_cli.comparison import plan
from scales_cli.engine.composition import upscale_bicubic
from scales_cli.imaging.files import read_image
from scales_cli.weights.family import resolve


class PageReader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.pictures, self.captions, self.title = [], [], ""
        self._within = []
        self.feed(text)
        self.files = [base64.b64decode(picture["src"].partition("base64,")[2]) for picture in self.pictures]

    def handle_starttag(self, tag, attributes):
        self._within.append(tag)
        if tag == "img":
            self.pictures.append(dict(attributes))
        if tag == "figcaption":
            self.captions.append("")

    def handle_endtag(self, tag):
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data):
        if "figcaption" in self._within:
            self.captions[-1] += data
        elif "title" in self._within[-1:]:
            self.title += data


def files(folder="."):
    return sorted(path.name for path in Path(folder).iterdir())


def read_page(path):
    return PageReader(Path(path).read_text("utf-8"))


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A random model that is told how much to mend."""
    path = tmp_path_factory.mktemp("models") / "scales-photo-x2.safetensors"
    random_weights(NetworkSpec(scale=2, planes="ycc", strength=True, n_blocks=1), 3).save(path)
    return str(path)


@pytest.fixture
def compare(folder, model, photo, capfd):
    """`scales compare` of two models, x2: exit code, JSON lines, stderr."""

    def run(*arguments):
        code = main(["compare", *arguments, "-s", "2", "-m", model, "-m", photo, "-t", "1", "--json"])
        captured = capfd.readouterr()
        return code, [json.loads(line) for line in captured.out.splitlines()], captured.err

    return run


def save(name, rng, mode="RGB", size=(21, 13), **options):
    pixels = rng.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    Image.fromarray(pixels, "RGBA").convert(mode).save(name, **options)
    return name


def save_turned(name, rng):
    exif = Image.Exif()
    exif[0x0112] = 6
    return save(name, rng, quality=30, exif=exif)


def save_deep(name, rng):
    import cv2

    cv2.imwrite(name, rng.integers(0, 65536, (9, 14, 3), dtype=np.uint16))
    return name


PICTURES = {
    "rgb": lambda rng: save("b.png", rng),
    "jpeg": lambda rng: save("b.jpg", rng, quality=30),
    "grey": lambda rng: save("b.png", rng, "L"),
    "alpha": lambda rng: save("b.webp", rng, "RGBA", lossless=True),
    "16 bits": lambda rng: save_deep("b.png", rng),
    "turned": lambda rng: save_turned("b.jpg", rng),
    "palette": lambda rng: save("b.gif", rng, "P"),
    "cmyk": lambda rng: save("b.tif", rng, "CMYK"),
    "a pixel": lambda rng: save("b.png", rng, size=(1, 1)),
    "a line": lambda rng: save("b.png", rng, size=(1, 300)),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_are_those_of_upscale(kind, compare, model, photo, rng):
    name = PICTURES[kind](rng)
    code, (line,), _ = compare(name)
    assert code == 0
    page = read_page("b_compare.html")
    for number, path in enumerate((model, photo), 1):
        assert main(["upscale", name, "-s", "2", "-m", path, "-o", f"{number}.png", "--metadata", "none", "-q"]) == 0
        assert page.files[number] == Path(f"{number}.png").read_bytes()
    picture = read_image(name)
    color = picture.pixels if picture.kind in ("grey", "rgb") else None
    if color is not None:
        assert np.array_equal(read_image(page.files[0]).pixels, upscale_bicubic(color, 2))
    size = (2 * picture.width, 2 * picture.height)
    assert [(int(item["width"]), int(item["height"])) for item in page.pictures] == [size] * 3
    assert (line["width"], line["height"], line["scale"]) == (*size, 2)
    assert line["bytes"] == Path("b_compare.html").stat().st_size


def test_sizes_between_are_those_of_upscale(folder, model, photo):
    for path in (model, photo):
        assert main(["compare", "a.png", "-s", "1.5", "-m", path, "-o", "page.html", "--overwrite", "-q"]) == 0
        assert main(["upscale", "a.png", "-s", "1.5", "-m", path, "-o", "b.png", "--overwrite", "-q"]) == 0
        files = read_page("page.html").files
        assert files[1] == Path("b.png").read_bytes()
        assert read_image(files[0]).pixels.shape == read_image(files[1]).pixels.shape


def test_models_strengths_and_times_are_told(compare, rng):
    save("b.jpg", rng, quality=20)
    _, (line,), _ = compare("b.jpg", "--denoise", "40")
    page = read_page("b_compare.html")
    models = [item["model"] for item in line["pictures"]]
    assert models[0] == "bicubic"
    assert [item.get("strength") for item in line["pictures"]] == [None, None, 0.4]
    for item, caption, picture in zip(line["pictures"], page.captions, page.pictures, strict=True):
        name = item["model"].removeprefix("scales-")
        assert caption.startswith(f"{name} ")
        assert float(caption.split()[-2]) == pytest.approx(item["seconds"], abs=0.006)
        assert ("strength 40" in caption) == ("strength" in item)
        assert picture["alt"] == f"b.jpg, enlarged by {name}"
    assert page.title == "b.jpg"


def test_models_of_equal_names_are_told_by_their_paths(folder, model, rng, capfd):
    for name in ("run1/model.safetensors", "run2/model.safetensors", "other.safetensors"):
        Path(name).parent.mkdir(exist_ok=True)
        shutil.copy(model, name)
    arguments = ("-m", "run1/model.safetensors", "-m", "run2/model.safetensors", "-m", "other.safetensors")
    assert main(["compare", save("a.png", rng), "-s", "2", "-t", "1", "--json", *arguments]) == 0
    told = [picture["model"] for picture in json.loads(capfd.readouterr().out)["pictures"]]
    assert told == ["bicubic", "run1/model.safetensors", "run2/model.safetensors", "other"]
    assert [caption.split()[0] for caption in read_page("a_compare.html").captions] == told


def test_an_ensemble_is_that_of_upscale(folder, model, capfd):
    arguments = ["a.png", "-s", "2", "-m", model, "--ensemble", "2"]
    assert main(["compare", *arguments, "--json"]) == 0
    assert [item.get("ensemble") for item in json.loads(capfd.readouterr().out)["pictures"]] == [None, 2]
    assert main(["upscale", *arguments, "-o", "b.png", "-q"]) == 0
    page = read_page("a_compare.html")
    assert page.files[1] == Path("b.png").read_bytes()
    assert "ensemble 2, " in page.captions[1]


def test_without_a_model_it_takes_what_upscale_takes(folder, monkeypatch, model, capfd):
    for expected in ("scales-base-x2", Path(model).stem):
        assert main(["compare", "a.png", "-s", "2", "--json", "--overwrite"]) == 0
        (line,) = map(json.loads, capfd.readouterr().out.splitlines())
        assert [item["model"] for item in line["pictures"]] == ["bicubic", expected]
        monkeypatch.setenv("SCALES_MODEL", model)


def test_denoise_needs_a_model_that_can(folder, model, capfd):
    assert main(["compare", "a.png", "-s", "2", "-m", model, "--denoise", "40"]) == 2
    assert "does not mend" in capfd.readouterr().err
    assert files() == ["a.png"]


def test_auto_chooses_for_each_picture(folder, rng, capfd):
    save("worn.jpg", rng, size=(64, 64), quality=30)
    assert main(["compare", "a.png", "worn.jpg", "--json", "-t", "1", "-o", "out/"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    photo = resolve("auto").mending.open(4).name
    assert [line["pictures"][1]["model"] for line in lines] == ["scales-base-x4", photo]
    assert main(["upscale", "worn.jpg", "-t", "1", "-o", "b.png", "-q"]) == 0
    page = read_page("out/worn_compare.html")
    assert page.files[1] == Path("b.png").read_bytes()
    assert page.captions[1].startswith(f"{photo.removeprefix('scales-')} strength ")


@pytest.fixture
def little_room(monkeypatch):
    monkeypatch.setattr(plan, "_SAMPLE_BYTES", 3 * 3 * 400)  # 400 pixels for each of three pictures


def test_large_pictures_are_shown_in_part(compare, little_room, rng):
    save("b.png", rng, size=(30, 20))
    _, (line,), err = compare("b.png")
    whole = {}
    for number, item in enumerate(line["pictures"]):
        assert (item["model"] == "bicubic") == (number == 0)
        whole[number] = item
    assert (line["width"], line["height"]) == (20, 20)
    assert "room for 20 x 20 of 60 x 40 pixels; --at says where" in err
    assert line["notes"] == [err.strip().removeprefix("scales: warning: b.png: ")]


@pytest.mark.parametrize(
    ("at", "left", "top"), [(None, 21, 11), ("0,0", 0, 0), ("29,19", 40, 20), ("15,3", 21, 0), ("3x10", 0, 11)]
)
def test_the_part_is_cut_from_the_whole(at, left, top, compare, little_room, photo, rng):
    save("b.png", rng, size=(30, 20))
    assert compare("b.png", *(() if at is None else ("--at", at)))[0] == 0
    assert main(["upscale", "b.png", "-s", "2", "-m", photo, "-o", "c.png", "-q"]) == 0
    part, whole = read_image(read_page("b_compare.html").files[2]).pixels, read_image("c.png").pixels
    assert np.array_equal(part, whole[top : top + 20, left : left + 20])


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (40, 700), (700, 40)])
def test_parts_of_any_shape_fill_the_room(size, compare, little_room, rng):
    save("b.png", rng, size=size)
    _, (line,), _ = compare("b.png")
    shown = line["width"] * line["height"]
    assert 0.9 * 400 <= shown <= 400


@pytest.mark.parametrize(("at", "code"), [("12,0", 3), ("0,9", 3), ("1", 2), ("-1,0", 2), ("a,b", 2)])
def test_a_point_lies_in_the_picture(at, code, compare):
    assert compare("a.png", f"--at={at}")[0] == code
    assert files() == ["a.png"]


def test_pages_go_where_they_are_wanted(compare, rng):
    save("b.png", rng)
    for arguments, expected in (
        (["a.png"], ["a_compare.html"]),
        (["a.png", "-o", "sub/page.HTM"], ["sub/page.HTM"]),
        (["a.png", "-o", "new/"], ["new/a_compare.html"]),
        (["a.png", "b.png", "-o", "both"], ["both/a_compare.html", "both/b_compare.html"]),
    ):
        code, lines, _ = compare(*arguments)
        assert code == 0
        assert [line["output"] for line in lines] == expected
        assert all(read_page(path).title == f"{Path(path).stem[0]}.png" or "page" in path for path in expected)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["a.png", "-o", "page.png"], 4),
        (["a.png", "-o", "page"], 4),
        (["a.png", "-o", "there.html"], 4),
        (["a.png", "a.png", "-o", "-"], 2),
        (["a.png", "-o", ""], 2),
        (["a.png", "missing.png", "-o", "page.html"], 2),
        (["a.png", "--max-memory", "1M"], 6),
        (["a.png", "--max-pixels", "100"], 3),
        (["missing.png"], 3),
        (["broken.png"], 3),
        (["https://example.org/a.png"], 3),
        (["https://example.org/a.png", "-o", "page.html"], 3),
        (["a.png", "-m", "unknown"], 5),
    ],
    ids=str,
)
def test_refusals_leave_nothing(arguments, code, compare):
    Path("there.html").write_text("mine")
    Path("broken.png").write_bytes(Path("a.png").read_bytes()[:-40])
    before = files()
    found, _, err = compare(*arguments)
    assert found == code
    assert err.startswith("scales: error: ")
    assert err.rstrip().endswith(")")
    assert files() == before
    assert Path("there.html").read_text() == "mine"


def test_others_are_done_when_one_fails(compare):
    Path("broken.png").write_bytes(Path("a.png").read_bytes()[:-40])
    code, lines, err = compare("broken.png", "a.png", "missing.png", "-o", "out/")
    assert code == 1
    assert sorted(line["input"] for line in lines if "error" in line) == ["broken.png", "missing.png"]
    assert err.rstrip().endswith("2 of 3 pictures failed (the lines above name them)")
    assert files("out") == ["a_compare.html"]


def test_a_page_goes_through_pipes(folder, model, monkeypatch, capfdbinary):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("a.png").read_bytes())))
    assert main(["compare", "-", "-s", "2", "-m", model]) == 0
    page = PageReader(capfdbinary.readouterr().out.decode())
    assert len(page.files) == 2
    assert page.title == "stdin"


def test_pages_of_hostile_names(hostile_name, folder, model):
    source = Path.cwd() / hostile_name
    Path("a.png").rename(source)
    assert main(["compare", str(source), "-s", "2", "-m", model, "-q", "-o", "out/"]) == 0
    (written,) = Path("out").iterdir()
    shown = hostile_name.encode("utf-8", "backslashreplace").decode()
    assert read_page(written).title == shown.replace("\r", "\n")  # as HTML has it
