"""A backbone by the README's recipe: a file in `backbones/`, one in `networks/`, an entry in both tables, no more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scales_cli
from scales_cli.imaging.resize import imresize

pytest.importorskip("torch")

# Both files and entries in one; the last lines run commands with them, in a worker's process as well.
CHAIN = """
import sys
from torch import nn
from scales_cli.backbones.backbone import Backbone, body_conv
from scales_cli.backbones.table import BACKBONES
from scales_cli.networks.base import Network
from scales_cli.networks.build import NETWORKS

class Chain(Network):
    def __init__(self, spec, layers):
        super().__init__(spec, lambda: nn.Sequential(*[layers.conv(spec.n_feats) for _ in range(spec.n_blocks)]))

NETWORKS["chain"] = Chain
BACKBONES["chain"] = Backbone(
    sizes={"chain": {"n_blocks": 3}},
    body=lambda spec: [body_conv(spec)] * spec.n_blocks,
    receptive_field=lambda spec: spec.n_blocks + 2,
    live_features=lambda spec: 6,
    NATIVE
)

if __name__ == "__main__":
    from scales_cli.cli.app import main
    for line in sys.stdin:
        if code := main(line.split()):
            sys.exit(code)
"""
NATIVE = 'native_stack=lambda spec: [f"body.{index}" for index in range(spec.n_blocks)],'
TRAIN = "train --data photos -o run --recipe recipe.toml -s 2 --steps 3\n"
EXPORT = "export run -o chain.safetensors\n"
UPSCALE = "upscale photos/large.png -s 2 -m chain.safetensors -o larger.png --tile 256\n"
BENCH = "bench -m chain.safetensors -s 2 --size 24x16 --rounds 1 --against torch-fp32 --json\n"


@pytest.fixture
def chain(tmp_path, rng):
    """Runs commands, a line each, with the backbone; returns what they print."""
    pytest.importorskip("scales_cli.engine._native")
    (tmp_path / "photos").mkdir()
    for name, factor in (("0", 3), ("1", 3), ("large", 22)):
        picture = imresize(rng.integers(0, 256, (12, 14, 3), dtype=np.uint8), factor)
        Image.fromarray(picture).save(tmp_path / "photos" / f"{name}.png")
    (tmp_path / "recipe.toml").write_text(
        'batch_size = 2\npatch_size = 8\n[network]\nbackbone = "chain"\nn_blocks = 2\n'
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(scales_cli.__file__).parents[1]), *sys.path])}

    def run(commands, native=""):
        (tmp_path / "chain.py").write_text(CHAIN.replace("NATIVE", native))
        command = [sys.executable, "chain.py"]
        result = subprocess.run(
            command, input=commands, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def test_a_backbone_of_a_dozen_lines_trains_packs_upscales_and_is_timed(chain, tmp_path):
    output = chain(TRAIN + EXPORT + UPSCALE + BENCH)
    with Image.open(tmp_path / "larger.png") as picture:
        assert picture.size == (14 * 44, 12 * 44)
    report = json.loads(output[output.index("{") :])
    rows = {row["contender"]: row for row in report["contests"][0]["rows"]}
    assert rows.keys() == {"scales", "torch-fp32"}
    assert rows["scales"]["cost"]["parameters"] < rows["torch-fp32"]["cost"]["parameters"]


def test_a_row_of_convolutions_can_run_natively(chain, tmp_path):
    chain(TRAIN + EXPORT + UPSCALE, NATIVE)
    with Image.open(tmp_path / "larger.png") as picture:
        assert picture.size == (14 * 44, 12 * 44)
