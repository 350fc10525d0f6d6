"""How much is mended: by what a picture shows, or as it is asked for; the same in one and in many."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scales_cli
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.random_weights import random_weights
from scales_cli.cli.app import main
from scales_cli.evaluation.drawn import drawn_pictures

pytestmark = pytest.mark.usefixtures("forked")


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A random model that is told how much to mend."""
    path = tmp_path_factory.mktemp("models") / "scales-photo-x2.safetensors"
    random_weights(NetworkSpec(scale=2, planes="ycc", strength=True, n_blocks=1), 3).save(path)
    return str(path)


@pytest.fixture
def pictures(folder, rng):
    clean = Image.fromarray(drawn_pictures()["drawn-comic"]).crop((80, 120, 272, 312))
    clean.save("clean.png")
    for quality in (90, 30):
        clean.save(f"q{quality}.jpg", quality=quality)
    noisy = np.asarray(clean) + rng.normal(0, 12, (192, 192, 1))
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save("noisy.png")
    return ["clean.png", "q90.jpg", "q30.jpg", "noisy.png"]


def results(capfd, *arguments):
    assert main([*arguments, "--json"]) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_strength_is_what_each_picture_shows(pictures, photo, capfd):
    lines = results(capfd, "upscale", *pictures, "-s", "2", "-m", photo, "-o", "out/")
    clean, high, low, noisy = (line["strength"] for line in lines)
    assert clean == 0
    assert 0 < high < 0.3 < low <= 1
    assert noisy > 0.5


def test_denoise_sets_the_strength(pictures, photo, capfd):
    seen = set()
    for asked, strength in (("0", 0), ("50", 0.5), ("100%", 1)):
        (line,) = results(capfd, "upscale", "q30.jpg", "-s", "2", "-m", photo, "-o", f"{asked}.png", "--denoise", asked)
        assert line["strength"] == strength
        seen.add(Path(f"{asked}.png").read_bytes())
    assert len(seen) == 3


@pytest.mark.parametrize("asked", ["-1", "101", "much", "nan", ""])
def test_denoise_takes_auto_or_percent(asked, pictures, photo, capfd):
    assert main(["upscale", "clean.png", "-m", photo, f"--denoise={asked}"]) == 2
    assert "auto or a number from 0 to 100" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize("command", [["upscale"], ["batch"]])
def test_a_model_that_is_not_told_refuses_to_be(command, pictures, model, capfd):
    arguments = [*command, "clean.png", "-s", "2", "-m", model, "-o", "out/"]
    assert main([*arguments, "--denoise", "50"]) == 2
    assert "does not mend" in capfd.readouterr().err
    assert not Path("out").exists()
    assert main([*arguments, "--denoise", "auto", "-q"]) == 0
    (line,) = results(capfd, "upscale", "clean.png", "-s", "2", "-m", model, "-o", "b.png")
    assert "strength" not in line


def test_batch_mends_as_much_and_notices_another_strength(pictures, photo, capfd):
    settings = ["-s", "2", "-m", photo]
    alone = results(capfd, "upscale", *pictures, *settings, "-o", "alone/")
    many = results(capfd, "batch", *pictures, *settings, "-o", "many/", "-j", "1")
    strengths = [{line["input"]: line["strength"] for line in lines} for lines in (alone, many)]
    assert strengths[0] == strengths[1]
    for name in pictures:
        name = Path(name).with_name(f"{Path(name).stem}_x2{Path(name).suffix}")
        assert Path("alone", name).read_bytes() == Path("many", name).read_bytes()
    rerun = results(capfd, "batch", *pictures, *settings, "-o", "many/")
    assert all("skipped" in json.dumps(line) and "strength" not in line for line in rerun)
    again = results(capfd, "batch", *pictures, *settings, "-o", "many/", "--denoise", "40")
    assert [line["strength"] for line in again] == [0.4] * 4


def test_python_takes_the_same_option(pictures, photo, model):
    assert scales_cli.upscale_file("noisy.png", "one.png", scale=2, model=photo).strength > 0.5
    assert scales_cli.upscale_file("noisy.png", "two.png", scale=2, model=photo, denoise=20).strength == 0.2
    with pytest.raises(scales_cli.ScalesError, match="denoise"):
        scales_cli.upscale_file("noisy.png", "three.png", scale=2, model=photo, denoise=120)
    with pytest.raises(scales_cli.ScalesError, match="does not mend"):
        scales_cli.upscale_file("noisy.png", "three.png", scale=2, model=model, denoise=20)
    pixels = np.asarray(Image.open("noisy.png"))
    upscaler = scales_cli.load(photo, scale=2)
    assert np.array_equal(upscaler.upscale(pixels), np.asarray(Image.open("one.png")))
    assert np.array_equal(upscaler.upscale(pixels, strength=0.2), np.asarray(Image.open("two.png")))


def test_animations_are_mended_alike_in_all_frames(folder, photo, rng, capfd):
    frames = [Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)) for _ in range(2)]
    frames[0].save("moving.png", save_all=True, append_images=frames[1:])
    (line,) = results(capfd, "upscale", "moving.png", "-s", "2", "-m", photo, "--frames", "all", "-o", "b.png")
    assert 0 <= line["strength"] <= 1


def test_eval_scores_on_degraded_pictures(pictures, small_drawn, photo, model, capfd):
    Path("set").mkdir()
    Path("clean.png").rename("set/clean.png")
    arguments = ["eval", "set", "-s", "2", "-t", "1", "--degrade", "q30"]
    assert main([*arguments, "-m", photo]) == 0
    table = capfd.readouterr().out
    for text in ("q30", "scales-photo-x2", "bicubic"):
        assert text in table
    assert main([*arguments, "--degrade", "noise10", "-m", model, "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert [row["degradation"] for row in report["degradations"]] == ["q30", "noise10"]
    assert set(report["degradations"][0]["gains"]) == {"clean", *drawn_pictures()}
    assert main(["eval", "set", "-s", "2", "-m", model, "--degrade", "rain"]) == 2
    assert "unknown degradation" in capfd.readouterr().err
