import json
import math

import numpy as np
import pytest
from PIL import Image

from scales_cli.errors import ScalesError, UsageError
from scales_cli.evaluation.datasets import find_benchmark
from scales_cli.evaluation.scores import evaluate, score
from scales_cli.imaging.resize import imresize

# Y-PSNR of MATLAB's bicubic as published; Set14 as measured with its grey picture replicated to RGB (data README). With
# luma rounded to integers, as MATLAB's rgb2ycbcr does on uint8, Set5 x2 would be 33.64.
PUBLISHED = {
    "Set5": {2: 33.66, 3: 30.39, 4: 28.42},
    "Set14": {2: 30.31, 3: 27.62, 4: 26.08},
    "B100": {2: 29.56, 3: 27.21, 4: 25.96},
}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14", pytest.param("B100", marks=pytest.mark.slow)])
def test_evaluate_reproduces_published_bicubic(benchmarks, name, scale):
    report = evaluate(lambda lr: imresize(lr, scale), [find_benchmark(benchmarks / name, scale)])
    mean = report.benchmarks[0].mean
    assert mean.bicubic_psnr == pytest.approx(PUBLISHED[name][scale], abs=0.02)
    assert (mean.psnr, mean.ssim) == (mean.bicubic_psnr, mean.bicubic_ssim)


@pytest.fixture
def folder(rng, tmp_path):
    for name in ("a", "b"):
        Image.fromarray(rng.integers(0, 256, (30, 34, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def test_evaluate_reports_images_and_means(folder):
    fractions = []
    report = evaluate(lambda lr: imresize(lr, 2), [find_benchmark(folder, 2)] * 2, progress=fractions.append)
    assert fractions == [0.25, 0.5, 0.75, 1.0]
    assert [len(item.images) for item in report.benchmarks] == [2, 2]
    first = report.benchmarks[0]
    assert first.mean.psnr == pytest.approx(np.mean([row.psnr for row in first.images]))
    assert [row.name for row in first.images] == ["a", "b"]
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["benchmarks"][0]["mean"]["bicubic_psnr"] == first.mean.bicubic_psnr


def test_evaluate_wants_one_scale(folder):
    with pytest.raises(ScalesError, match="scale"):
        evaluate(lambda lr: lr, [find_benchmark(folder, 2), find_benchmark(folder, 3)])


def test_evaluate_names_arguments_of_another_kind(folder):
    found = find_benchmark(folder, 2)
    for upscale, benchmarks, progress, message in (
        ("tiny", [found], None, "upscale is 'tiny'"),
        (abs, [found], 5, "progress is 5"),
        (abs, [], None, "there are no benchmarks"),
        (abs, [str(folder)], None, "is no benchmark"),
        (abs, str(folder), None, "is a single str"),
        (abs, folder, None, "is a single PosixPath"),
        (abs, None, None, "is a single NoneType"),
        (abs, found, None, "is a single Benchmark"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            evaluate(upscale, benchmarks, progress=progress)
        assert caught.value.hint.startswith("give ")


def test_score_ignores_the_border(rng):
    hr = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    sr = hr.copy()
    sr[:2], sr[-2:], sr[:, :2], sr[:, -2:] = 0, 0, 0, 0
    row = score("a", hr, hr[::2, ::2], sr, 2)
    assert row.psnr == math.inf
    assert row.to_dict()["psnr"] is None


def test_score_refuses_wrong_results(rng):
    hr = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    for wrong in (hr[:-1], hr[..., 0], hr.astype(np.uint16)):
        with pytest.raises(ScalesError, match="result"):
            score("a", hr, hr[::2, ::2], wrong, 2)
