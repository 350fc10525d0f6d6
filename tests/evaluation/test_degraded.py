"""Scores on degraded files: the model's beside those of bicubic enlargement."""

import json

import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import InputError
from scales_cli.evaluation.degradations import degradations
from scales_cli.evaluation.degraded import Enlarged, evaluate_degraded, references
from scales_cli.evaluation.drawn import drawn_pictures
from scales_cli.imaging.files import read_image
from scales_cli.imaging.resize import imresize


def bicubic(file):
    pixels = read_image(file).pixels
    large = imresize(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), 4)
    return Enlarged(np.asarray(large, np.uint8), "bicubic", len(file) / 2**20)


def inverted(file):
    return Enlarged(255 - bicubic(file).pixels)


def test_bicubic_enlargement_scores_as_the_bicubic_it_stands_beside():
    pictures = {name: picture for name, picture in drawn_pictures().items() if name in ("drawn-comic", "drawn-slide")}
    fractions = []
    reports = list(evaluate_degraded(bicubic, pictures, degradations(["clean", "q30"]), 4, progress=fractions.append))
    assert fractions == [0.5, 1.0]
    for report in reports:
        assert report.model == report.bicubic
        assert report.gains == {"drawn-comic": 0, "drawn-slide": 0}
    clean, coded = (report.model for report in reports)
    assert clean.flat_error == 0
    assert coded.flat_error > 0
    assert coded.psnr < clean.psnr
    assert coded.blockiness > clean.blockiness


def test_gains_are_of_each_picture():
    pictures = {"slide": drawn_pictures()["drawn-slide"]}
    (report,) = evaluate_degraded(inverted, pictures, degradations(["q60"]), 4)
    assert report.gains["slide"] == pytest.approx(report.model.psnr - report.bicubic.psnr)
    assert report.gains["slide"] < -5


def test_references_are_the_middles_of_pictures_and_the_drawn_ones(tmp_path, rng):
    pixels = rng.integers(0, 256, (500, 130, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "tall.png")
    found = references(tmp_path)
    assert set(found) == {"tall", *drawn_pictures()}
    np.testing.assert_array_equal(found["tall"], pixels[58:442, 5:125])
    Image.fromarray(pixels[:, :90]).save(tmp_path / "small.png")
    with pytest.raises(InputError, match="too small"):
        references(tmp_path)


def test_no_picture_takes_the_place_of_another_one_of_its_name(tmp_path):
    for name in ("a.bmp", "a.png", "drawn-slide.png"):
        Image.new("RGB", (96, 96)).save(tmp_path / name)
    assert list(references(tmp_path)) == ["a", "a.png", "drawn-slide.png", *drawn_pictures()]


def test_equal_pictures_have_null_in_json():
    flat = {"flat": np.full((96, 96, 3), 200, np.uint8)}
    (report,) = evaluate_degraded(bicubic, flat, degradations(["clean"]), 4)
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["model"]["psnr"] is None
    assert values["gains"] == {"flat": None}


def test_all_degradations_may_be_named_beside_one():
    assert degradations(["all", "q60"]) == degradations(["all"])
