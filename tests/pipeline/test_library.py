"""What Python programs call: every kind of picture, and files as the command line enlarges them."""

import io
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

import scales_cli
from scales_cli.cli.app import main
from scales_cli.imaging.formats import ImageFormat
from scales_cli.pipeline.pillow import to_details


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photo(folder, rng):
    """A JPEG with a profile and a resolution."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.jpg", icc_profile=profile, dpi=(300, 300))
    return folder / "photo.jpg"


@pytest.fixture(scope="module")
def tiny():
    return scales_cli.load("tiny", scale=2, threads=1)


def test_ensembles_are_of_the_model_that_is_loaded(photo, tiny):
    ensemble = scales_cli.load("tiny", scale=2, threads=1, ensemble=2)
    pixels = np.asarray(Image.open(photo))
    large = scales_cli.upscale(pixels, 2, "tiny", ensemble=2)
    assert np.array_equal(ensemble(pixels), large)
    assert not np.array_equal(tiny(pixels), large)
    assert scales_cli.upscale_file(photo, "a.png", model=ensemble).ensemble == 2
    with pytest.raises(scales_cli.UsageError, match="loaded for ensembles of 2"):
        scales_cli.upscale_file(photo, "b.png", model=ensemble, ensemble=8)
    with pytest.raises(scales_cli.UsageError, match="ensemble is 3"):
        scales_cli.load("tiny", ensemble=3)


def test_load_opens_a_model_by_its_name(tiny, weights_file):
    assert (tiny.name, tiny.scale) == ("scales-tiny-x2", 2)
    assert scales_cli.load(weights_file(3), 3).scale == 3
    with pytest.raises(scales_cli.WeightsError, match="no model"):
        scales_cli.load("unheard-of")
    with pytest.raises(scales_cli.UsageError):
        scales_cli.load("tiny", scale=5)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_images_become_images(tiny, rng, mode):
    pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = Image.new(mode, (7, 5), 40_000) if mode == "I;16" else Image.fromarray(pixels).convert(mode)
    large = tiny(image)
    expected = {"1": "L", "P": "RGB", "CMYK": "RGB"}.get(mode, mode)
    assert (large.mode, large.size) == (expected, (14, 10))
    same = image if image.mode == expected else image.convert(expected)
    assert np.array_equal(np.asarray(large), tiny(np.asarray(same)))


def test_images_keep_their_profile_and_transparency(tiny, photo, folder):
    image = Image.open(photo)
    large = tiny(image)
    assert large.info["icc_profile"] == image.info["icc_profile"]
    assert large.info["dpi"] == image.info["dpi"]
    palette = Image.new("P", (4, 4), 1)
    palette.info["transparency"] = 1
    clear = tiny(palette)
    assert (clear.mode, clear.getextrema()[3], "transparency" in clear.info) == ("RGBA", (0, 0), False)


def test_a_profile_of_another_color_space_goes_with_it(tiny):
    image = Image.new("CMYK", (4, 4))
    image.info |= {"icc_profile": bytes(16) + b"CMYK" + bytes(16) + b"acsp" + bytes(88), "dpi": (300, 300)}
    assert tiny(image).info == {"dpi": (300, 300)}


@pytest.mark.parametrize("mode", ["I", "F", "LAB"])
def test_images_of_kinds_that_are_not_enlarged_are_refused(tiny, mode):
    with pytest.raises(scales_cli.UsageError, match="is not a picture"):
        tiny(Image.new(mode, (4, 4)))


def test_images_without_pixels_are_refused(tiny):
    with pytest.raises(scales_cli.UsageError, match="0 x 5 pixels is empty"):
        tiny(Image.new("RGB", (0, 5)))


def test_images_that_are_cut_off_say_so(tiny, photo):
    """Pillow reads them when they are used."""
    with Image.open(io.BytesIO(photo.read_bytes()[:-40])) as image, pytest.raises(scales_cli.InputError) as caught:
        tiny(image)
    assert (caught.value.message, caught.value.hint) == ("the picture is truncated", "get the file again")


def test_bytes_become_bytes_of_the_same_format(photo):
    main(["upscale", "photo.jpg", "-s", "2", "-m", "tiny", "-q"])
    assert scales_cli.upscale(photo.read_bytes(), 2, "tiny") == Path("photo_x2.jpg").read_bytes()


def test_denoise_means_the_same_for_pictures_of_any_kind(photo):
    main(["upscale", "photo.jpg", "-s", "2", "-m", "photo", "--denoise", "70", "-q", "-o", "large.png"])
    pixels = scales_cli.upscale(photo, 2, "photo", denoise=70)
    with Image.open("large.png") as image, Image.open(photo) as small:
        assert np.array_equal(pixels, np.asarray(image))
        assert np.array_equal(scales_cli.upscale(small, 2, "photo", denoise=70), pixels)
        assert np.array_equal(scales_cli.upscale(np.asarray(small), 2, "photo", denoise=70), pixels)
    assert not np.array_equal(scales_cli.upscale(photo, 2, "photo", denoise=10), pixels)
    for wrong in (101, True):
        with pytest.raises(scales_cli.UsageError, match=f"denoise is {wrong}"):
            scales_cli.upscale(photo, 2, "photo", denoise=wrong)
    with pytest.raises(scales_cli.UsageError):
        scales_cli.upscale(photo, 2, "tiny", denoise=70)


def test_images_of_two_pictures_are_jpeg_too(folder, rng):
    """MPO, as phones write it."""
    image = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    image.save("a.jpg", "MPO", save_all=True, append_images=[image], quality=60)
    with Image.open("a.jpg") as opened:
        assert opened.format == "MPO"
        details = to_details(opened)
    assert (details.format, details.lossless) == (ImageFormat.JPEG, False)
    assert details.coded_quality == pytest.approx(60, abs=1)


OPTIONS = [
    {},
    {"scale": 1.5},
    {"width": 20, "format": "png"},
    {"ensemble": 8},
    {"max_size": 30, "format": "webp", "quality": 40},
    {"height": 11, "background": "red", "metadata": "none"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_upscale_file_writes_the_bytes_of_the_command(photo, options):
    arguments = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    assert main(["upscale", "photo.jpg", "-m", "tiny", "-q", "-o", "command/", *arguments]) == 0
    (expected,) = Path("command").iterdir()
    result = scales_cli.upscale_file("photo.jpg", "python/", model="tiny", **options)
    assert result.output == f"python/{expected.name}"
    assert Path(result.output).read_bytes() == expected.read_bytes()
    with Image.open(expected) as image:
        assert (result.width, result.height) == image.size


@pytest.mark.parametrize("source", ["path", "text", "bytes", "file", "unseekable"])
@pytest.mark.parametrize("target", ["path", "file"])
def test_upscale_file_takes_paths_bytes_and_files(source, target, photo, tiny):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

    content = photo.read_bytes()
    sources = {
        "path": photo,
        "text": str(photo),
        "bytes": content,
        "file": io.BytesIO(content),
        "unseekable": Pipe(content),
    }
    sink = io.BytesIO() if target == "file" else Path("large.jpg")
    result = scales_cli.upscale_file(sources[source], sink, model=tiny)
    written = sink.getvalue() if target == "file" else sink.read_bytes()
    assert written == scales_cli.upscale(content, 2, "tiny")
    assert (result.width, result.height, result.scale, result.model) == (24, 18, 2, "scales-tiny-x2")


def test_a_stream_need_not_say_how_much_it_took(photo, tiny):
    """As that of a web framework, say, whose `write` gives nothing."""
    taken = []

    class Response:
        def write(self, data):
            taken.append(bytes(data))

    scales_cli.upscale_file(photo, Response(), model=tiny)
    assert b"".join(taken) == scales_cli.upscale(photo.read_bytes(), 2, "tiny")


def test_a_stream_that_takes_no_more_is_named(photo, tiny):
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(scales_cli.OutputError) as caught:  # noqa: PTH123
        scales_cli.upscale_file(photo, full, model=tiny)
    assert "the stream for the result cannot be written: No space left" in str(caught.value)


def test_upscale_file_without_a_target_names_it(photo, tiny):
    assert scales_cli.upscale_file(photo, model=tiny).output == str(photo.with_name("photo_x2.jpg"))
    with pytest.raises(scales_cli.OutputExistsError):
        scales_cli.upscale_file(photo, model=tiny)
    scales_cli.upscale_file(photo, model=tiny, overwrite=True)
    with pytest.raises(scales_cli.UsageError, match="no target"):
        scales_cli.upscale_file(photo.read_bytes(), model=tiny)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_pixels", "1G"),
        ("max_pixels", None),
        ("max_memory", "1G"),
        ("ensemble", 2.0),
        pytest.param("width", 10**400, id="width-huge"),
        ("denoise", "auto"),
        ("scale", "2"),
        ("width", 2.5),
        ("threads", "2"),
        ("threads", 5000),
        ("tile", 1),
        ("scale", True),
        ("quality", "95"),
        ("quality", 95.5),
        ("quality", True),
        ("quality", 101),
        ("background", (255, 0)),
        ("background", (256, 0, 0)),
        ("background", (0.5, 0, 0)),
        ("background", 5),
        ("format", 5),
        ("name", 5),
        ("progress", 5),
        ("lossless", "no"),
        ("overwrite", "no"),
        ("keep_times", 1),
        ("salvage", None),
    ],
)
def test_options_of_another_kind_are_named(photo, option, value):
    model = "auto" if option == "denoise" else "tiny"
    with pytest.raises(scales_cli.UsageError) as caught:
        scales_cli.upscale_file(photo, "large.png", model=model, **{option: value})
    assert caught.value.message == f"{option} is {value!r}"
    assert caught.value.hint.startswith("give ")
    assert not Path("large.png").exists()


def test_a_background_may_be_three_numbers(folder, tiny):
    Image.new("RGBA", (4, 4), (1, 2, 3, 0)).save("a.png")
    named = scales_cli.upscale_file("a.png", "named.jpg", model=tiny, background="#ff0080")
    for background in ((255, 0, 128), list(np.array([255, 0, 128]))):
        given = scales_cli.upscale_file("a.png", "given.jpg", model=tiny, background=background, overwrite=True)
        assert Path(given.output).read_bytes() == Path(named.output).read_bytes()


@pytest.mark.parametrize(
    ("option", "number"),
    [
        ("quality", np.int64(90)),
        ("tile", np.uint8(200)),
        ("threads", np.uint8(2)),
        ("ensemble", np.int8(2)),
        ("width", np.uint8(200)),
        ("scale", Fraction(3, 2)),
        ("max_memory", np.int32(2**30)),
    ],
    ids=lambda value: str(value),
)
@pytest.mark.filterwarnings("error")
def test_numbers_may_be_of_other_kinds_than_pythons_own(folder, option, number):
    """None of which overflows in what is computed with it. The picture is cut into tiles."""
    Image.linear_gradient("L").resize((600, 450)).save("a.jpg")
    as_it_is = int(number) if isinstance(number, np.integer) else float(number)
    options = {} if option in ("width", "scale") else {"scale": 2}
    given = scales_cli.upscale_file("a.jpg", "given.jpg", model="tiny", **options | {option: number})
    plain = scales_cli.upscale_file("a.jpg", "plain.jpg", model="tiny", **options | {option: as_it_is})
    assert Path(given.output).read_bytes() == Path(plain.output).read_bytes()
    json.dumps(given.to_dict())


def test_files_of_another_kind_are_named(photo, tiny):
    with (
        Path("text").open("w+") as text,
        Path("closed").open("wb") as closed,
        Path("written").open("wb") as written,
        photo.open("rb") as read,
    ):
        closed.close()
        before = set(Path().iterdir())
        for source in (["photo.jpg"], None, 5, "", text, closed, written, bytearray(4)):
            with pytest.raises(scales_cli.UsageError, match="source is "):
                scales_cli.upscale_file(source, "large.png", model=tiny)
        for target in (b"large.png", ["large.png"], 5, "", text, closed, read, io.StringIO()):
            with pytest.raises(scales_cli.UsageError, match="target is "):
                scales_cli.upscale_file(photo, target, model=tiny)
    with pytest.raises(scales_cli.UsageError, match="picture is ''"):
        scales_cli.upscale("", model=tiny)
    assert set(Path().iterdir()) == before


@pytest.mark.parametrize("model", [5, b"tiny", "", ["tiny"]], ids=repr)
def test_models_of_another_kind_are_named(photo, model):
    for call in (
        lambda: scales_cli.load(model),
        lambda: scales_cli.upscale(photo, model=model),
        lambda: scales_cli.upscale_file(photo, "large.png", model=model),
    ):
        with pytest.raises(scales_cli.UsageError, match="model is "):
            call()


@pytest.mark.parametrize("option", ["strength", "progress"])
def test_upscalers_name_options_of_another_kind(tiny, option):
    with pytest.raises(scales_cli.UsageError, match=f"^{option} is 'auto'"):
        tiny.upscale(np.zeros((4, 4), np.uint8), **{option: "auto"})


def test_upscale_takes_what_was_loaded(photo, tiny):
    with Image.open(photo) as image:
        pixels = np.asarray(image)
        assert np.array_equal(np.asarray(scales_cli.upscale(image, model=tiny)), tiny(pixels))
    content = photo.read_bytes()
    assert np.array_equal(scales_cli.upscale(pixels, model=tiny), tiny(pixels))
    assert np.array_equal(scales_cli.upscale(pixels, 2, tiny), tiny(pixels))
    assert np.array_equal(scales_cli.upscale(photo, model=tiny), tiny(pixels))
    assert scales_cli.upscale(content, model=tiny) == scales_cli.upscale(content, 2, "tiny")
    for scale in (1.5, 4):
        with pytest.raises(scales_cli.WeightsError, match=f"enlarges by 2, not by {scale}"):
            scales_cli.upscale(pixels, scale, tiny)
    with pytest.raises(scales_cli.UsageError, match="scale is "):
        scales_cli.upscale(pixels, [2], tiny)
    with pytest.raises(scales_cli.UsageError, match="loaded for ensembles of 1"):
        scales_cli.upscale(pixels, model=tiny, ensemble=8)


def test_no_loss_is_refused_where_there_always_is(photo, tiny):
    for target, options in (
        ("folder/", {}),
        ("large.jpg", {}),
        (io.BytesIO(), {}),
        ("folder/", {"format": "jpg"}),
        (None, {}),
    ):
        with pytest.raises(scales_cli.UsageError, match="JPEG is never without loss") as caught:
            scales_cli.upscale_file(photo, target, model=tiny, lossless=True, **options)
        assert "PNG, TIFF or WebP" in caught.value.hint
    assert list(Path().iterdir()) == [Path("photo.jpg")]
    for suffix in ("png", "tif", "bmp", "ppm", "webp"):
        assert scales_cli.upscale_file(photo, f"large.{suffix}", model=tiny, lossless=True).notes == ()


@pytest.mark.parametrize("arguments", [("-o", "large/"), ("-o", "-"), ("--format", "jpg")], ids=str)
def test_the_command_refuses_no_loss_of_jpeg(photo, arguments, capsys):
    assert main(["upscale", "photo.jpg", "-s", "2", "-m", "tiny", "--lossless", *arguments]) == 2
    assert "JPEG is never without loss" in capsys.readouterr().err
    assert list(Path().iterdir()) == [Path("photo.jpg")]


def test_a_batch_without_loss_fails_for_jpeg_alone(photo, capsys):
    Path("in").mkdir()
    photo.rename("in/photo.jpg")
    Image.new("RGB", (4, 4)).save("in/a.png")
    assert main(["batch", "in", "-o", "out", "-s", "2", "-m", "tiny", "--lossless", "-j", "1"]) != 0
    assert "photo.jpg: JPEG is never without loss" in capsys.readouterr().err
    assert [path.name for path in Path("out").glob("*_x2.*")] == ["a_x2.png"]


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "ppm", "jpg", "webp"])
def test_a_quality_that_a_format_has_not_is_noted(photo, tiny, suffix):
    notes = scales_cli.upscale_file(photo, f"large.{suffix}", model=tiny, quality=60, metadata="none").notes
    expected = [] if suffix in ("jpg", "webp") else ["the quality of 60 was not used"]
    assert [note.partition(", ")[2] for note in notes if "quality" in note] == expected


def test_animated_png_notes_a_quality_too(folder, tiny):
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "blue")]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    (note,) = scales_cli.upscale_file("a.gif", "a.png", model=tiny, frames="all", quality=60).notes
    assert "quality of 60 was not used" in note


def test_upscale_file_says_what_was_lost(folder, tiny):
    Image.new("RGBA", (4, 4), (1, 2, 3, 128)).save("a.png")
    (note,) = scales_cli.upscale_file("a.png", "a.jpg", model=tiny).notes
    assert "transparency" in note


def test_upscale_file_raises_errors_that_name_the_file(photo, tiny):
    Path("text.png").write_text("text")
    for source, name in (("text.png", "text.png"), (b"text", "<bytes>"), (io.BytesIO(b"text"), "<file>")):
        with pytest.raises(scales_cli.InputError) as caught:
            scales_cli.upscale_file(source, "large.png", model=tiny)
        assert str(caught.value).startswith(f"{name}: ")
        assert str(caught.value).count(name) == 1
    with pytest.raises(scales_cli.OutputError, match="is the input"):
        scales_cli.upscale_file(photo, photo, model=tiny, overwrite=True)
    with pytest.raises(scales_cli.WeightsError, match="enlarges by 2, not by 4"):
        scales_cli.upscale_file(photo, "large.png", model=tiny, scale=4)
    with pytest.raises(scales_cli.MemoryLimitError):
        scales_cli.upscale_file(photo, "large.png", model=tiny, max_memory=2**20)
    for wrong in ({"format": "xyz"}, {"background": "no colour"}, {"metadata": "all"}, {"frames": "last"}):
        with pytest.raises(scales_cli.UsageError):
            scales_cli.upscale_file(photo, "large.png", model=tiny, **wrong)
    assert not Path("large.png").exists()


def test_every_public_name_is_there():
    for name in scales_cli.__all__:
        assert getattr(scales_cli, name) is not None
