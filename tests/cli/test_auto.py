"""`-m auto`: clean pictures go to base, others to a model that mends; the same in one, in many, and from Python."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scales_cli
from scales_cli.cli.app import main
from scales_cli.evaluation.drawn import drawn_pictures
from scales_cli.weights import registry

MENDING = next(entry for entry in registry.load_registry().mending() if entry.scale == 4)
BASE, PHOTO = "scales-base-x4", MENDING.name

pytestmark = pytest.mark.usefixtures("forked")


@pytest.fixture
def pictures(folder, rng):
    """Files by what auto makes of them."""
    clean = Image.fromarray(drawn_pictures()["drawn-comic"]).crop((80, 120, 144, 184))
    noisy = (np.asarray(clean) + rng.normal(0, 20, (64, 64, 1))).clip(0, 255).astype(np.uint8)
    clean.save("clean.png")
    clean.save("q95.jpg", quality=95)
    clean.save("q30.jpg", quality=30)
    clean.save("w20.webp", quality=20)
    clean.save("lossless.webp", lossless=True)
    Image.fromarray(noisy).save("noisy.png")
    whole = Image.fromarray(drawn_pictures()["drawn-comic"]).crop((80, 120, 240, 280))  # traces need some pixels
    whole.save("was.jpg", quality=30)
    Image.open("was.jpg").save("was-q30.png")
    return {
        "clean.png": BASE,
        "q95.jpg": BASE,
        "lossless.webp": BASE,
        "q30.jpg": PHOTO,
        "w20.webp": PHOTO,
        "noisy.png": PHOTO,
        "was-q30.png": PHOTO,
    }


def results(capfd, *arguments):
    assert main([*arguments, "--json"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    return {line["input"]: line for line in lines}


def test_every_picture_gets_the_bytes_of_the_model_that_is_chosen(pictures, capfd):
    chosen = results(capfd, "upscale", *pictures, "-o", "auto/")
    assert {name: line["model"] for name, line in chosen.items()} == pictures
    for model in (BASE, PHOTO):
        names = [name for name in pictures if pictures[name] == model]
        named = results(capfd, "upscale", *names, "-m", model, "-o", f"{model}/")
        for name, line in named.items():
            assert Path(line["output"]).read_bytes() == Path(chosen[name]["output"]).read_bytes()
            assert line.get("strength") == chosen[name].get("strength")


def test_batch_chooses_alike_records_it_and_does_not_do_it_again(pictures, capfd):
    alone = results(capfd, "upscale", *pictures, "-o", "alone/")
    many = results(capfd, "batch", *pictures, "-o", "many/", "-j", "1")
    for name, line in many.items():
        assert Path(line["output"]).read_bytes() == Path(alone[name]["output"]).read_bytes()
        assert [line.get(key) for key in ("model", "strength", "wear")] == [
            alone[name].get(key) for key in ("model", "strength", "wear")
        ]
    records = map(json.loads, Path("many/.scales-batch.jsonl").read_text().splitlines())
    recorded = {record["input"]: record["model"] for record in records if record["status"] == "done"}
    assert recorded["clean.png"] == BASE
    assert recorded["q30.jpg"] == f"{PHOTO}, strength 93"
    again = results(capfd, "batch", *pictures, "-o", "many/")
    assert {line.get("skipped") for line in again.values()} == {"done before"}


def test_verbose_says_which_model_and_why(pictures, capfd):
    assert main(["upscale", "clean.png", "q30.jpg", "noisy.png", "was-q30.png", "-o", "out/", "-v"]) == 0
    said = capfd.readouterr().err.splitlines()
    assert said[0] == f"scales: clean.png: {BASE} (no noise, no loss)"
    assert said[1] == f"scales: q30.jpg: {PHOTO}, strength 93 (JPEG quality 30 by its tables)"
    assert "noise of" in said[2]
    assert "by its pixels" in said[3]
    assert main(["batch", "q30.jpg", "-o", "many/", "-v"]) == 0
    assert capfd.readouterr().err.splitlines()[0] == said[1]
    assert main(["upscale", "q30.jpg", "-o", "quiet/", "-v", "-q"]) == 0
    assert capfd.readouterr().err == ""


def test_denoise_decides_by_being_0_or_not(pictures, capfd):
    for asked, model in (("0", BASE), ("1", PHOTO), ("100", PHOTO)):
        chosen = results(capfd, "upscale", "clean.png", "q30.jpg", "-o", f"{asked}/", "--denoise", asked)
        assert {line["model"] for line in chosen.values()} == {model}
        assert {line.get("strength", 0) for line in chosen.values()} == {int(asked) / 100}


def test_scales_without_a_photo_model_are_of_base(pictures, capfd, monkeypatch):
    entries = tuple(entry for entry in registry.load_registry().entries if entry.scale == 4 or not entry.spec.strength)
    monkeypatch.setattr(registry, "load_registry", lambda: registry.Registry("", entries))
    two = results(capfd, "batch", "q30.jpg", "-s", "2", "-o", "two/", "-j", "1")
    assert two["q30.jpg"]["model"] == "scales-base-x2"
    assert "wear" not in two["q30.jpg"]
    assert "skipped" in results(capfd, "batch", "q30.jpg", "-s", "2", "-m", "base", "-o", "two/")["q30.jpg"]
    assert main(["upscale", "q30.jpg", "-s", "2", "--denoise", "50"]) == 2
    assert "no photo model that enlarges by 2 (leave --denoise out, or use -s 4)" in capfd.readouterr().err
    zero = results(capfd, "upscale", "q30.jpg", "-s", "2", "--denoise", "0", "-o", "zero/")
    assert zero["q30.jpg"]["model"] == "scales-base-x2"
    asked = results(capfd, "upscale", "q30.jpg", "--max-size", "100", "--denoise", "50", "-o", "asked/")
    assert (asked["q30.jpg"]["model"], asked["q30.jpg"]["width"]) == (PHOTO, 100)


@pytest.mark.parametrize("kind", ["grey", "alpha", "cmyk", "16 bits", "frames"])
def test_pictures_of_every_kind_are_mended(kind, folder, rng, capfd):
    clean = np.asarray(Image.fromarray(drawn_pictures()["drawn-comic"]).crop((80, 120, 144, 184)))
    noisy = (clean + rng.normal(0, 20, (64, 64, 1))).clip(0, 255).astype(np.uint8)
    options, name = [], "a.png"
    if kind == "grey":
        Image.fromarray(noisy).convert("L").save(name)
    elif kind == "alpha":
        Image.fromarray(np.dstack([noisy, np.arange(64 * 64).reshape(64, 64) % 256]).astype(np.uint8)).save(name)
    elif kind == "cmyk":
        name = "a.jpg"
        Image.fromarray(clean).convert("CMYK").save(name, quality=30)
    elif kind == "16 bits":
        Image.fromarray(noisy[..., 0].astype(np.uint16) * 257).save(name)
    else:  # the first decides for all
        frames, options = [Image.fromarray(noisy), Image.fromarray(clean)], ["--frames", "all"]
        frames[0].save(name, save_all=True, append_images=frames[1:])
    (line,) = results(capfd, "upscale", name, *options, "-o", "out.png").values()
    assert line["model"] == PHOTO
    assert line["strength"] >= MENDING.auto_from


def test_a_model_that_is_added_to_the_registry_is_taken(pictures, capfd, monkeypatch):
    entries = registry.load_registry().entries
    larger = dataclasses.replace(MENDING, name="scales-photo-x4", auto_from=0.95)
    monkeypatch.setattr(registry, "load_registry", lambda: registry.Registry("", entries).with_entries([larger]))
    chosen = results(capfd, "upscale", "q30.jpg", "noisy.png", "-o", "out/")
    assert chosen["q30.jpg"]["model"] == BASE
    assert chosen["q30.jpg"]["wear"]["strength"] == 0.9333
    assert chosen["noisy.png"]["model"] == "scales-photo-x4"
    named = results(capfd, "upscale", "q30.jpg", "-o", "out/", "--denoise", "50", "--overwrite")
    assert named["q30.jpg"]["model"] == "scales-photo-x4"


def test_python_chooses_alike(pictures, monkeypatch):
    with Image.open("q30.jpg") as image:
        by_image = np.asarray(scales_cli.upscale(image))
    assert np.array_equal(by_image, scales_cli.upscale("q30.jpg"))
    upscaler = scales_cli.load(scale=4)
    assert upscaler.name == "auto"
    noisy = np.asarray(Image.open("noisy.png"))
    assert np.array_equal(upscaler(noisy), scales_cli.upscale("noisy.png"))
    assert np.array_equal(upscaler(noisy), scales_cli.load(PHOTO)(noisy))
    clean = np.asarray(Image.open("clean.png"))
    assert np.array_equal(upscaler(clean), scales_cli.load("base")(clean))
    assert np.array_equal(upscaler.upscale(noisy, strength=0.0), scales_cli.load("base")(noisy))
    assert scales_cli.upscale_file("q30.jpg", "one.png", model=upscaler).model == PHOTO
    assert scales_cli.upscale_file("q30.jpg", "two.png", model=upscaler, denoise=0).model == BASE
    entries = tuple(entry for entry in registry.load_registry().entries if not entry.spec.strength)
    monkeypatch.setattr(registry, "load_registry", lambda: registry.Registry("", entries))
    with pytest.raises(scales_cli.UsageError, match="no photo model"):
        scales_cli.load("auto", scale=2).upscale(clean, strength=0.5)


def test_eval_scores_what_auto_chooses_and_where_it_should_switch(pictures, small_drawn, capfd):
    Path("set").mkdir()
    Image.fromarray(drawn_pictures()["drawn-comic"]).crop((0, 0, 96, 96)).save("set/small.png")
    arguments = ["eval", "set", "-t", "1", "--degrade", "q30"]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["model"] == "auto"
    (row,) = report["degradations"]
    assert set(row["models"].values()) == {PHOTO}
    assert row["strengths"]["small"] == pytest.approx(0.9333, abs=1e-4)
    assert main([*arguments, "--switch"]) == 0
    table = capfd.readouterr().out
    for text in (BASE, PHOTO, "auto_from", "never", "0.30", "q30"):
        assert text in table
    assert max(map(len, table.splitlines())) <= 80
    assert main([*arguments, "--switch", "-m", "tiny"]) == 2
    assert main([*arguments, "--switch", "--denoise", "50"]) == 2
    assert "does not choose between two models" in capfd.readouterr().err
    assert main(["eval", "set", "--switch"]) == 2
