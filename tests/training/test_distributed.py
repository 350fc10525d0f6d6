"""Two processes, as `torchrun` starts them, train the network that one trains."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import scales_cli
from scales_cli.errors import UsageError
from scales_cli.imaging.resize import imresize
from scales_cli.training.checkpoint import Checkpoint, latest
from scales_cli.training.config import TrainConfig
from scales_cli.training.distributed import ALONE, Processes
from scales_cli.training.trainer import Trainer

PROGRAM = """# without gradients of 8 bits, which each process rounds by the deviation of its own share
import sys, torch
torch.cpu._is_vnni_supported = lambda: False
from scales_cli.cli.app import main
sys.exit(main())
"""
ONE = [sys.executable, "program.py"]
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *ONE[1:]]
SETTINGS = "steps = 12\nbatch_size = 4\npatch_size = 8\nwarmup_steps = 2\n[network]\nscale = 2\nn_blocks = 1\n"


@pytest.fixture
def train(tmp_path, rng):
    (tmp_path / "photos").mkdir()
    for index in range(3):
        picture = imresize(rng.integers(0, 256, (12, 14), dtype=np.uint8), 8)
        Image.fromarray(picture).save(tmp_path / "photos" / f"{index}.png")
    (tmp_path / "settings.toml").write_text(SETTINGS)
    (tmp_path / "program.py").write_text(PROGRAM)

    def run(program, out, *arguments):
        result = subprocess.run(
            [*program, "train", "--data", "photos", "--recipe", "settings.toml", "-o", out, *arguments],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(scales_cli.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.splitlines() == [str(Path(out, "model.safetensors"))]  # of one process only
        return Checkpoint.load(tmp_path / out)

    return run


def test_two_processes_train_the_network_of_one(train, tmp_path):
    """Though they are ended and go on."""
    one = train(ONE, "one")
    train(TWO, "two", "--max-time", "0s")
    assert latest(tmp_path / "two").name == "weights-00000001.safetensors"
    two = train(TWO, "two", "--resume")
    assert two.progress.step == one.progress.step == 12
    assert two.progress.valid_psnr == pytest.approx(one.progress.valid_psnr, abs=0.02)
    for name, value in one.model.items():  # single weights may differ: Adam enlarges what is rounded near zero
        assert (two.model[name] - value).abs().mean() < 2e-4, name


@pytest.mark.slow
def test_two_processes_that_go_on_end_with_the_same_bits(train):
    two = train(TWO, "two")
    train(TWO, "parts", "--max-time", "0s")
    parts = train(TWO, "parts", "--resume")
    assert all(torch.equal(parts.ema[name], value) for name, value in two.ema.items())


def test_processes_share_a_batch_evenly():
    batch = torch.arange(6)
    shares = [Processes(rank, 3).share(batch) for rank in range(3)]
    assert torch.equal(torch.stack(shares, 1).flatten(), batch)
    assert torch.equal(ALONE.share(batch), batch)


def test_trainer_refuses_a_batch_that_cannot_be_shared(tmp_path):
    with pytest.raises(UsageError, match="3 processes"):
        Trainer(TrainConfig(), None, [], tmp_path, device=torch.device("cpu"), processes=Processes(0, 3))
