import csv
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from scales_cli.config import NetworkSpec, TrainConfig
from scales_cli.errors import ScalesError, UsageError, WeightsError
from scales_cli.imaging.resize import imresize
from scales_cli.training import checkpoint
from scales_cli.training.checkpoint import Checkpoint
from scales_cli.training.dataset import Pair, PatchDataset
from scales_cli.training.trainer import Trainer, self_ensemble

CONFIG = TrainConfig(NetworkSpec(scale=2, n_blocks=1), steps=6, batch_size=2, patch_size=8, warmup_steps=2)


def picture_pair(rng):
    """A smooth random picture, which bicubic upscaling blurs and a network can learn to sharpen."""
    hr = imresize(rng.integers(0, 256, (12, 12), dtype=np.uint8), 4)
    return Pair(imresize(hr, 1 / 2)[None], hr[None])


@pytest.fixture
def build_trainer(rng, tmp_path):
    pairs = [picture_pair(rng) for _ in range(3)]

    def build(config=CONFIG, out=tmp_path / "run"):
        dataset = PatchDataset(pairs, config.network.scale, config.patch_size, torch.device("cpu"))
        return Trainer(config, dataset, pairs[:1], out, device=torch.device("cpu"), compiled=False)

    return build


def ignore(status):
    pass


def test_training_lowers_the_loss(build_trainer):
    trainer = build_trainer(replace(CONFIG, steps=150))
    losses = []
    trainer.run(lambda status: losses.append(status.loss))
    assert losses[-1] < 0.8 * losses[0]


def test_resume_is_exact(build_trainer, tmp_path):
    whole = build_trainer(out=tmp_path / "whole")
    whole.run(ignore)
    first = build_trainer()
    first.run(lambda status: None, max_seconds=0)  # stops after its first report
    stopped = first.progress.step
    stepwise = build_trainer()
    for _ in range(3):
        stepwise._step()
    stepwise.out.mkdir(exist_ok=True)
    stepwise.save()
    second = build_trainer()
    second.resume()
    second.run(ignore)
    assert stopped == CONFIG.steps
    assert second.progress.step == whole.progress.step
    for name, value in whole.ema.state_dict().items():
        assert torch.equal(second.ema.state_dict()[name], value), name


def test_only_the_newest_complete_checkpoint_is_kept(build_trainer):
    trainer = build_trainer()
    trainer.run(ignore)
    weights = checkpoint.latest(trainer.out)
    assert [path.name for path in sorted(trainer.out.glob("*.safetensors"))] == [
        "optimizer-00000006.safetensors",
        "weights-00000006.safetensors",
    ]
    weights.with_name("optimizer-00000006.safetensors").unlink()
    assert checkpoint.latest(trainer.out) is None


def test_resume_refuses_other_settings(build_trainer):
    build_trainer().run(ignore)
    with pytest.raises(UsageError, match="other settings"):
        build_trainer(replace(CONFIG, learning_rate=1e-4)).resume()


def test_resume_may_lengthen_the_schedule(build_trainer):
    build_trainer().run(ignore)
    longer = build_trainer(replace(CONFIG, steps=8))
    longer.resume()
    longer.run(ignore)
    assert longer.progress.step == 8


def test_learning_rate_warms_up_and_follows_half_a_cosine(build_trainer):
    trainer = build_trainer(replace(CONFIG, steps=100, warmup_steps=10, final_learning_rate=1e-5))
    rates = []
    for step in range(101):
        trainer.progress = replace(trainer.progress, step=step)
        rates.append(trainer.learning_rate())
    assert rates[0] == pytest.approx(2e-4)
    assert rates[50] == pytest.approx((2e-3 + 1e-5) / 2)
    assert rates[100] == pytest.approx(1e-5)


def test_a_loss_that_is_not_finite_stops_the_run(build_trainer):
    trainer = build_trainer()
    with torch.no_grad():
        trainer.network.tail.bias.fill_(math.nan)
    with pytest.raises(ScalesError, match="not finite"):
        trainer.run(ignore)
    assert checkpoint.latest(trainer.out) is None


def test_start_from_takes_the_body_to_another_scale(build_trainer, tmp_path):
    source = build_trainer()
    source.run(ignore)
    other = build_trainer(out=tmp_path / "other")
    other.network.spec = replace(CONFIG.network, scale=2)
    saved = Checkpoint.load(source.out)
    tail = {name: value for name, value in saved.ema.items() if name.startswith("tail.")}
    saved.ema.update({name: torch.zeros(9, *value.shape[1:]) for name, value in tail.items()})
    before = other.network.tail.weight.clone()
    other.start_from(saved)
    assert torch.equal(other.network.body[0].weight, saved.ema["body.0.weight"])
    assert torch.equal(other.network.tail.weight, before)
    assert other.progress.history == (f"scales 2x64 x2, 6 steps, {source.progress.seconds:.0f} s",)


def test_start_from_refuses_another_width(build_trainer, tmp_path):
    source = build_trainer()
    source.run(ignore)
    wide = build_trainer(replace(CONFIG, network=replace(CONFIG.network, n_feats=128)), out=tmp_path / "wide")
    with pytest.raises(UsageError, match="does not fit"):
        wide.start_from(Checkpoint.load(source.out))


def test_self_ensemble_does_not_care_how_the_picture_lies(build_trainer, rng):
    network = build_trainer().ema
    lr = torch.rand(1, 1, 7, 9)
    expected = self_ensemble(network, lr)
    turned = self_ensemble(network, lr.rot90(1, (2, 3)).flip([3])).flip([3]).rot90(-1, (2, 3))
    torch.testing.assert_close(turned, expected, atol=1e-5, rtol=0)
    assert not torch.allclose(network(lr), expected, atol=1e-5)


def test_distillation_adds_the_distance_to_the_teachers_pictures(build_trainer, tmp_path):
    teacher = build_trainer(replace(CONFIG, network=replace(CONFIG.network, conv="float")), out=tmp_path / "teacher")
    teacher.run(ignore)
    student = build_trainer()
    student.distil_from(Checkpoint.load(teacher.out))
    first = student.dataset.lr[:, : student.dataset.shapes[0].prod()].unflatten(1, student.dataset.shapes[0].tolist())
    expected = self_ensemble(teacher.ema, first[None].float() / 255).clamp(0, 1) * 255
    taught = student.dataset.taught[:, : expected.numel()].float()
    torch.testing.assert_close(taught, expected.flatten().round()[None], atol=1, rtol=0)
    lr, _, taught = student.dataset.sample(2, torch.Generator().manual_seed(1))
    loss, objective = student._loss(lr, taught, taught)
    torch.testing.assert_close(objective, (1 + student.config.distillation) * loss)
    student.run(ignore)
    assert student.progress.teacher.startswith("float 2x64 x2, 6 steps")


def test_log_holds_a_line_per_validation(build_trainer):
    trainer = build_trainer()
    trainer.run(ignore, validate_every=50)
    with (trainer.out / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert int(row["step"]) == 6
    assert float(row["valid_psnr"]) == pytest.approx(trainer.validate(), abs=1e-3)


def test_checkpoint_load_refuses_other_files(tmp_path):
    (tmp_path / "weights-1.safetensors").write_bytes(b"\x80\x04pickle")
    for path in (tmp_path / "weights-1.safetensors", tmp_path / "missing", tmp_path):
        with pytest.raises(WeightsError, match="not a training checkpoint"):
            Checkpoint.load(path)
