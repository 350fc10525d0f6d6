"""Models of other backbones from the command line: the same as any model, given torch."""

import json

import numpy as np
import pytest
from PIL import Image

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.random_weights import random_model
from scales_cli.cli.app import main
from scales_cli.engine.load import load_engine
from scales_cli.imaging.files import read_image
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.system import extras

pytest.importorskip("torch")

SPECS = {
    "swinir": NetworkSpec(
        scale=2,
        backbone="swinir",
        n_feats=16,
        n_blocks=1,
        backbone_options={"n_layers": 2, "n_heads": 2, "window": 4},
    ),
    "rcan": NetworkSpec(scale=2, backbone="rcan", n_blocks=1, backbone_options={"n_layers": 1}),
}


@pytest.fixture(scope="session", params=sorted(SPECS))
def backbone(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("backbone") / f"{request.param}.safetensors"
    random_model(SPECS[request.param]).save(path)
    return str(path)


def test_upscale_and_batch_write_what_the_engine_gives(backbone, folder, forked, capfd):
    assert main(["upscale", "a.png", "-m", backbone, "-s", "2", "-o", "out.png"]) == 0
    expected = Upscaler(load_engine(backbone)).upscale(read_image("a.png").pixels)
    assert np.array_equal(read_image("out.png").pixels, expected)
    assert main(["batch", ".", "-m", backbone, "-s", "2", "-o", "../out", "--exclude", "out.png"]) == 0
    assert (folder.parent / "out/a_x2.png").read_bytes() == (folder / "out.png").read_bytes()


def test_a_large_picture_is_cut_and_stays_within_memory(backbone, folder, rng):
    noise = Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    noise.resize((320, 230), Image.Resampling.BICUBIC).save("b.png")  # more than 2^16 pixels
    assert main(["upscale", "b.png", "-m", backbone, "-s", "2", "-o", "whole.png", "--tile", "512"]) == 0
    assert main(["upscale", "b.png", "-m", backbone, "-s", "2", "-o", "tiled.png", "--tile", "64"]) == 0
    whole, tiled = (read_image(name).pixels.astype(float) for name in ("whole.png", "tiled.png"))
    assert whole.shape == (460, 640, 3)
    assert 10 * np.log10(255**2 / max(np.mean((whole - tiled) ** 2), 1e-9)) > 50
    assert main(["upscale", "b.png", "-m", backbone, "-s", "2", "-o", "no.png", "--max-memory", "40M"]) == 6


def test_eval_and_models_know_them(backbone, folder, capfd):
    (folder / "Set").mkdir()
    Image.linear_gradient("L").resize((24, 24)).convert("RGB").save("Set/a.png")
    assert main(["eval", "Set", "-m", backbone, "-s", "2", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["benchmarks"][0]["mean"]["psnr"] > 10
    assert main(["models", "import", backbone, "--name", "mine"]) == 0
    assert main(["models", "show", "mine"]) == 0
    assert main(["models", "verify"]) == 0
    assert main(["upscale", "a.png", "-m", "mine", "-s", "2", "-o", "mine.png"]) == 0


def test_without_torch_the_message_says_what_to_install(backbone, folder, monkeypatch, capfd):
    monkeypatch.setattr(extras, "is_installed", lambda library: library != "torch")
    assert main(["upscale", "a.png", "-m", backbone, "-s", "2"]) == 1
    assert 'models need torch (install it with: pip install "scales-cli[torch]")' in capfd.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["a.png"]
