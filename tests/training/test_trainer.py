import csv
import json
import math
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.torch.packing import unpack
from scales_cli.errors import DivergedError, OutputError, ScalesError, UsageError, WeightsError
from scales_cli.imaging.resize import imresize
from scales_cli.layers.rescaling import LayerwiseScalingFactor
from scales_cli.training import checkpoint
from scales_cli.training.checkpoint import Checkpoint, RunRecord
from scales_cli.training.config import TrainConfig
from scales_cli.training.dataset import Pair, PatchDataset
from scales_cli.training.distributed import ALONE
from scales_cli.training.export import pack_run
from scales_cli.training.run import load_run
from scales_cli.training.trainer import Trainer
from scales_cli.training.update import Update

CONFIG = TrainConfig(NetworkSpec(scale=2, n_blocks=1), steps=6, batch_size=2, patch_size=8, warmup_steps=2)


def picture_pair(rng):
    """A smooth random picture, which bicubic upscaling blurs and a network can learn to sharpen."""
    hr = imresize(rng.integers(0, 256, (12, 12), dtype=np.uint8), 4)
    return Pair(imresize(hr, 1 / 2)[None, None], hr[None])


def adapted(pair, spec):
    """The pair with as many planes as the network sees and enlarges."""
    lr = pair.lr.repeat(spec.inputs - spec.strength, axis=1)
    chroma = lr[0, 1:] // 2 if spec.has_chroma else None
    return replace(pair, lr=lr, hr=pair.hr.repeat(spec.colors, axis=0), chroma=chroma)


@pytest.fixture
def build_trainer(rng, tmp_path):
    pairs = [picture_pair(rng) for _ in range(3)]

    def build(config=CONFIG, out=tmp_path / "run"):
        spec = config.network
        own = [adapted(pair, spec) for pair in pairs]
        dataset = PatchDataset(own, spec.scale, config.patch_size, torch.device("cpu"), strength=spec.strength)
        return Trainer(config, dataset, own[:1], out, device=torch.device("cpu"), compiled=False)

    return build


def ignore(status):
    pass


def test_training_lowers_the_loss(build_trainer):
    trainer = build_trainer(replace(CONFIG, steps=150))
    losses = []
    trainer.run(lambda status: losses.append(status.loss))
    assert losses[-1] < 0.8 * losses[0]


def test_a_run_exports_what_its_average_computes(build_trainer, tmp_path):
    trainer = build_trainer()
    calibrated = trainer.network.tail.gain.clone()
    trainer.run(ignore)
    assert not torch.equal(trainer.network.tail.gain, calibrated)
    assert torch.equal(trainer.ema.tail.gain, trainer.network.tail.gain)
    weights = pack_run(Checkpoint.load(trainer.out))
    assert np.array_equal(weights.tensors["tail.gain"], trainer.ema.tail.gain.numpy())
    batch = trainer.first_batch
    expected = trainer.ema.residual(batch)
    assert expected.std() > 1e-3
    torch.testing.assert_close(unpack(weights).eval().residual(batch), expected, atol=1e-6, rtol=0)


def test_resume_is_exact(build_trainer, tmp_path):
    whole = build_trainer(out=tmp_path / "whole")
    whole.run(ignore)
    first = build_trainer()
    first.run(ignore, max_seconds=0)  # stops after its first step
    assert first.progress.step == 1
    second = build_trainer()
    second.resume()
    second.run(ignore)
    assert second.progress.step == whole.progress.step == CONFIG.steps
    for name, value in whole.ema.state_dict().items():
        assert torch.equal(second.ema.state_dict()[name], value), name
    for name, value in whole.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value), name


def test_a_checkpoint_torn_while_written_leaves_the_older_one(build_trainer, monkeypatch):
    trainer = build_trainer()
    trainer.run(ignore, max_seconds=0)
    older = checkpoint.latest(trainer.out)
    write = checkpoint._write

    def disk_full_at_weights(path, tensors, metadata):
        if path.name.startswith("weights"):
            raise OSError("no space left")
        write(path, tensors, metadata)

    monkeypatch.setattr(checkpoint, "_write", disk_full_at_weights)
    with pytest.raises(OutputError, match="no space left"):
        trainer.run(ignore)
    assert checkpoint.latest(trainer.out) == older
    build_trainer().resume()


def test_a_checkpoint_removes_only_older_checkpoints(build_trainer):
    trainer = build_trainer()
    trainer.out.mkdir()
    older = ("weights-00000001.safetensors", "optimizer-00000002.safetensors")  # the latter of a run that was killed
    for name in ("scales-tiny-x4.safetensors", "weights-mine.safetensors", *older):
        (trainer.out / name).touch()
    trainer.run(ignore)
    assert sorted(path.name for path in trainer.out.glob("*.safetensors")) == [
        "optimizer-00000006.safetensors",
        "scales-tiny-x4.safetensors",
        "weights-00000006.safetensors",
        "weights-mine.safetensors",
    ]


def test_two_runs_in_one_folder_do_not_mix(build_trainer):
    """The first one that has a checkpoint there goes on; the other one leaves it alone."""
    first, second = build_trainer(), build_trainer()
    first.run(ignore, max_seconds=0)
    with pytest.raises(OutputError, match="another run"):
        second.run(ignore, max_seconds=0)
    one, other = build_trainer(), build_trainer()
    one.resume()
    other.resume()
    one.run(ignore, max_seconds=0)
    with pytest.raises(OutputError, match="another run"):
        other.run(ignore)
    one.run(ignore)
    assert Checkpoint.load(one.out).progress == one.progress


def test_a_run_removes_what_was_left_by_one_that_was_killed(build_trainer):
    trainer = build_trainer()
    trainer.out.mkdir()
    left, own = trainer.out / ".scales-17-0a1b2c3d.tmp", trainer.out / ".scales-17-notes.txt"
    for path in (left, own):
        path.touch()
        os.utime(path, (1, 1))
    trainer.run(ignore)
    assert (left.exists(), own.exists()) == (False, True)


def test_seed_decides_the_weights(build_trainer, tmp_path):
    runs = [
        build_trainer(replace(CONFIG, seed=seed), out=tmp_path / str(index)) for index, seed in enumerate((1, 1, 2))
    ]
    for trainer in runs:
        trainer.run(ignore)
    first, same, other = (trainer.ema.body[0].weight for trainer in runs)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_resume_refuses_other_pictures_and_teachers(build_trainer):
    build_trainer().run(ignore)
    other = build_trainer()
    other.progress = replace(other.progress, data="other pictures")
    with pytest.raises(UsageError, match="other pictures"):
        other.resume()


def test_resume_tells_pictures_apart_that_are_as_many_and_as_large(build_trainer):
    first = build_trainer()
    first.progress = replace(first.progress, pictures="one")
    first.run(ignore, max_seconds=0)
    other = build_trainer()
    other.progress = replace(other.progress, pictures="two")
    with pytest.raises(UsageError, match="other pictures"):
        other.resume()
    first.progress = replace(first.progress, pictures="")  # as runs did that noted none
    first.save()
    other.resume()
    assert other.progress.pictures == "two"


def test_start_from_a_full_precision_twin_calibrates_what_is_new(build_trainer, tmp_path):
    twin = build_trainer(replace(CONFIG, network=replace(CONFIG.network, layers="float")), out=tmp_path / "twin")
    twin.run(ignore)
    student = build_trainer(out=tmp_path / "student")
    student.start_from(Checkpoint.load(twin.out))
    torch.testing.assert_close(student.network.body[1].weight, twin.ema.body[1].weight)
    reaching = student.network.head(4 * student.first_batch - 2)
    expected = 2 * reaching.abs().mean().item()
    assert student.network.body[0].binarize.alpha.item() == pytest.approx(expected, rel=1e-4)
    tail = student.network.tail
    torch.testing.assert_close(tail.weight, twin.ema.tail.weight)
    seen = student.network.body(reaching) + reaching
    torch.testing.assert_close(127 / tail.gain, seen.abs().amax(dim=(0, 2, 3)))


def test_start_from_a_packed_model_goes_on_where_it_ended(build_trainer, tmp_path):
    first = build_trainer(replace(CONFIG, steps=40), out=tmp_path / "first")
    first.run(ignore)
    pack_run(Checkpoint.load(first.out)).save(tmp_path / "model.safetensors")
    second = build_trainer(out=tmp_path / "second")
    second.start_from(Checkpoint.load(tmp_path / "model.safetensors"))
    torch.testing.assert_close(second.network(first.first_batch), first.ema(first.first_batch), atol=1e-4, rtol=0)
    assert torch.equal(second.network.tail.gain, first.ema.tail.gain)
    last = second.network.body[1]
    reaching = second.network.body[0](second.network.head(4 * second.first_batch - 2))
    expected = 2 * (reaching - last.binarize.beta.view(-1, 1, 1)).abs().mean().item()
    assert last.binarize.alpha.item() == pytest.approx(expected, rel=1e-4)
    assert second.progress.history == (f"scales 2x64 x2, 40 steps, {first.progress.seconds:.0f} s",)


@pytest.mark.parametrize("change", [{"n_blocks": 2}, {"planes": "rgb"}])
def test_start_from_refuses_another_body(change, build_trainer, tmp_path):
    one = build_trainer()
    other = build_trainer(replace(CONFIG, network=replace(CONFIG.network, **change)), tmp_path / "other")
    for source, target in ((one, other), (other, one)):
        source.save()
        with pytest.raises(UsageError, match="does not fit"):
            target.start_from(Checkpoint.load(source.out))


@pytest.mark.parametrize(
    "options",
    [{"spatial": False}, {"layerwise": False}, {"weight_scale": "mean"}, {"activation": "none"}, {"gate_factor": 1.0}],
)
def test_start_from_a_packed_model_refuses_other_layers(options, build_trainer, tmp_path):
    pack_run(Checkpoint.load(build_trainer(out=tmp_path / "first").save())).save(tmp_path / "model.safetensors")
    other = build_trainer(replace(CONFIG, network=replace(CONFIG.network, conv_options=options)))
    with pytest.raises(UsageError, match="--init"):
        other.start_from(Checkpoint.load(tmp_path / "model.safetensors"))
    binary = build_trainer(replace(CONFIG, network=replace(CONFIG.network, layers="float")), tmp_path / "float")
    with pytest.raises(UsageError, match="--init"):
        binary.start_from(Checkpoint.load(tmp_path / "model.safetensors"))


@pytest.mark.parametrize(
    "card", [{"steps": "x"}, {"steps": True}, {"seconds": math.inf}, {"started_from": 3}, {"started_from": [3]}]
)
def test_cards_that_cannot_be_true_leave_no_records(card, build_trainer, tmp_path):
    path = tmp_path / "model.safetensors"
    weights = pack_run(Checkpoint.load(build_trainer().save()))
    replace(weights, card={"steps": 3, **card}).save(path)
    assert Checkpoint.load(path).progress == RunRecord()


def test_a_damaged_packed_model_is_named_once(build_trainer, tmp_path):
    path = tmp_path / "model.safetensors"
    pack_run(Checkpoint.load(build_trainer().save())).save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged") as caught:
        Checkpoint.load(path)
    assert caught.value.message.count(str(path)) == 1


@pytest.mark.parametrize("records", [{"step": "x"}, {"seconds": "x"}, {"step": -1}, {"history": [3]}])
def test_checkpoints_with_forged_records_are_refused(records, build_trainer):
    trainer = build_trainer()
    path = trainer.save()
    tensors, metadata = checkpoint._read(path)
    metadata["progress"] = json.dumps(json.loads(metadata["progress"]) | records)
    checkpoint._write(path, tensors, metadata)
    with pytest.raises(WeightsError, match="not a training checkpoint"):
        trainer.resume()


def test_checkpoints_of_other_tensors_are_refused(build_trainer):
    trainer = build_trainer()
    path = trainer.save()
    tensors, metadata = checkpoint._read(path)
    checkpoint._write(path, {name: value for name, value in tensors.items() if "head" not in name}, metadata)
    for use in (trainer.resume, Checkpoint.load(path).network):
        with pytest.raises(WeightsError, match="tensors are not those"):
            use()


def test_runs_whose_tail_was_not_rounded_can_be_gone_on_from(build_trainer, tmp_path):
    path = build_trainer(out=tmp_path / "earlier").save()
    tensors, metadata = checkpoint._read(path)
    checkpoint._write(path, {name: value for name, value in tensors.items() if "tail.gain" not in name}, metadata)
    earlier = Checkpoint.load(path)
    with pytest.raises(WeightsError) as caught:
        pack_run(earlier)
    assert "scales train --init" in caught.value.hint
    trainer = build_trainer()
    trainer.start_from(earlier)
    assert torch.equal(trainer.network.tail.weight, earlier.ema["tail.weight"])
    trainer.run(ignore)


def test_training_goes_on_uncompiled_where_nothing_can_be_compiled(build_trainer, monkeypatch):
    def no_compiler(function, **options):
        def fail(*arguments):
            raise RuntimeError("no C++ compiler")

        return fail

    monkeypatch.setattr(torch, "compile", no_compiler)
    trainer = build_trainer()
    trainer.update = Update(trainer.network, trainer.dataset, trainer.config, ALONE, compiled=True)
    with pytest.warns(UserWarning, match=r"no C\+\+ compiler"):
        trainer.run(ignore)
    assert trainer.progress.step == CONFIG.steps


def test_compiling_counts_in_no_time(build_trainer, monkeypatch):
    """The first step takes an hour of a clock of our own, each of the others a quarter of a second."""
    now, takes = [0.0], [3600.0]

    def slow_compiler(function, **options):
        def compiled(*arguments):
            now[0] += takes.pop() if takes else 0.25
            return function(*arguments)

        return compiled

    monkeypatch.setattr(torch, "compile", slow_compiler)
    monkeypatch.setattr("scales_cli.training.trainer.time", SimpleNamespace(monotonic=lambda: now[0]))
    trainer = build_trainer(replace(CONFIG, steps=10_000))
    trainer.update = Update(trainer.network, trainer.dataset, trainer.config, ALONE, compiled=True)
    said, seen = [], []
    trainer.run(seen.append, max_seconds=0.6, compiling=lambda: said.append("compiling"))
    assert said == ["compiling"]
    assert (trainer.progress.step, trainer.progress.seconds) == (4, 0.75)
    assert seen[0].steps_per_second == 4


def test_slow_steps_are_reported_and_kept_as_they_come(build_trainer, monkeypatch):
    """Fifty steps of a large network take longer than the minute that a checkpoint may be old."""
    monkeypatch.setattr("scales_cli.training.trainer.CHECKPOINT_SECONDS", 0)
    trainer, seen = build_trainer(), []
    trainer.run(lambda status: seen.append((status.progress.step, checkpoint.latest(trainer.out))))
    steps = [None if path is None else int(path.stem.removeprefix("weights-")) for _, path in seen]
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert steps == [None, 1, 2, 3, 4, 5]


def test_resumed_runs_log_each_validation_once(build_trainer, monkeypatch):
    monkeypatch.setattr("scales_cli.training.trainer.REPORT_STEPS", 1)
    killed = build_trainer()

    def kill(status):
        if status.progress.step == 2:
            killed.save()
        if status.progress.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed.run(kill, validate_every=1)
    log = killed.out / "log.csv"
    log.write_text(log.read_text() + "5,0.1")  # torn
    resumed = build_trainer()
    resumed.resume()
    resumed.run(ignore, validate_every=1)
    with log.open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [1, 2, 3, 4, 5, 6]


def test_validate_survives_a_perfect_picture(build_trainer):
    trainer = build_trainer()
    black = np.zeros((1, 8, 8), np.uint8)
    trainer.validation = [Pair(black[None], black.repeat(2, 1).repeat(2, 2))]
    with torch.no_grad():
        trainer.ema.tail.bias.fill_(-1)
    assert trainer.validate() > 100


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


def test_the_gradient_of_sign_sharpens_evenly(build_trainer):
    trainer = build_trainer(replace(CONFIG, steps=100, sign_sharpness=3.0))
    thresholds = [module for module in trainer.network.modules() if isinstance(module, LayerwiseScalingFactor)]
    for step, sharpness in ((0, 1.0), (50, 2.0), (99, 2.98)):
        trainer.progress = replace(trainer.progress, step=step)
        trainer._step()
        assert [module.sharpness.item() for module in thresholds] == pytest.approx([sharpness] * len(thresholds))
    assert thresholds
    assert not any("sharpness" in name for name in trainer.network.state_dict())


def test_a_gradient_that_is_not_finite_stops_the_run(build_trainer, monkeypatch):
    trainer = build_trainer()
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(math.nan))
    with pytest.raises(ScalesError, match="not finite"):
        trainer.run(ignore)
    assert checkpoint.latest(trainer.out) is None


def test_weights_that_are_no_longer_finite_stop_the_run(build_trainer):
    """At its next report: until then steps of NaN follow, in whole numbers of 8 bits where those are fast."""
    trainer = build_trainer(replace(CONFIG, steps=20, learning_rate=1e20, clip_norm=1e9, warmup_steps=0))
    with pytest.raises(DivergedError):
        trainer.run(ignore)


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
    saved = Checkpoint.load(source.out)
    tail = {name: saved.ema[name] for name in ("tail.weight", "tail.bias")}
    saved.ema.update({name: torch.zeros(9, *value.shape[1:]) for name, value in tail.items()})
    before = other.network.tail.weight.clone()
    other.start_from(saved)
    assert torch.equal(other.network.body[0].weight, saved.ema["body.0.weight"])
    assert torch.equal(other.network.tail.weight, before)
    assert torch.equal(other.ema.tail.gain, source.ema.tail.gain)  # of the body's features, which are the same
    assert other.progress.history == (f"scales 2x64 x2, 6 steps, {source.progress.seconds:.0f} s",)


def test_start_from_refuses_another_width(build_trainer, tmp_path):
    source = build_trainer()
    source.run(ignore)
    wide = build_trainer(replace(CONFIG, network=replace(CONFIG.network, n_feats=128)), out=tmp_path / "wide")
    with pytest.raises(UsageError, match="does not fit"):
        wide.start_from(Checkpoint.load(source.out))


@pytest.mark.parametrize("conv", ["float", "scales"])
def test_distillation_adds_the_distance_to_the_teachers_pictures(conv, build_trainer, tmp_path):
    teacher = build_trainer(replace(CONFIG, network=replace(CONFIG.network, layers=conv)), out=tmp_path / "teacher")
    teacher.run(ignore)
    student = build_trainer()
    student.distil_from(Checkpoint.load(teacher.out))
    first = student.dataset.lr[:, : student.dataset.shapes[0].prod()].unflatten(1, student.dataset.shapes[0].tolist())
    lr = first[None].float() / 255
    axes = (2, 3)
    ways = [(turns, flip) for turns in range(4) for flip in ([], [3])]
    large = [teacher.ema(lr.rot90(turns, axes).flip(flip)).flip(flip).rot90(-turns, axes) for turns, flip in ways]
    expected = torch.stack(large).mean(dim=0).clamp(0, 1) * 255
    taught = student.dataset.taught[:, : expected.numel()].float()
    torch.testing.assert_close(taught, expected.flatten().round()[None], atol=1, rtol=0)
    batch = student.dataset.cut(student.dataset.draw(2, torch.Generator().manual_seed(1)))
    loss, objective = student.update._loss(batch._replace(hr=batch.taught))
    torch.testing.assert_close(objective, (1 + student.config.distillation) * loss)
    student.run(ignore)
    assert student.progress.teacher.startswith(f"{conv} 2x64 x2, 6 steps")


def test_log_holds_a_line_per_validation(build_trainer):
    trainer = build_trainer()
    trainer.run(ignore, validate_every=50)
    with (trainer.out / "log.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert int(row["step"]) == 6
    assert float(row["valid_psnr"]) == pytest.approx(trainer.validate(), abs=1e-3)


def test_checkpoint_load_refuses_other_files(tmp_path):
    (tmp_path / "weights-1.safetensors").write_bytes(b"\x80\x04pickle")
    for path in (tmp_path / "weights-1.safetensors", tmp_path / "missing"):
        with pytest.raises(WeightsError, match="not a training checkpoint"):
            Checkpoint.load(path)
    with pytest.raises(WeightsError, match="no checkpoint in it"):
        Checkpoint.load(tmp_path)


PHOTO = replace(
    CONFIG, network=replace(CONFIG.network, planes="ycc", strength=True), gradient_weight=0.1, chroma_weight=0.5
)


def test_start_from_a_model_of_luma_is_exact_without_chroma(build_trainer, tmp_path):
    first = build_trainer(replace(CONFIG, steps=20))
    first.run(ignore)
    second = build_trainer(PHOTO, tmp_path / "second")
    second.start_from(Checkpoint.load(first.out))
    lr = second.first_batch.clone()
    lr[:, 1:3] = 0.5  # which the head sees as 0
    luma, _ = second.ema.predict(lr)
    torch.testing.assert_close(luma, first.ema(lr[:, :1]), atol=1e-4, rtol=0)
    head, tail = second.ema.head.weight, second.ema.tail.weight
    assert torch.equal(head[:, :1], first.ema.head.weight)
    assert head[:, 1:3].std() > 0.05
    assert not head[:, 3].any()
    assert tail[4:].std() > 0


def test_objective_weighs_chroma_and_the_steps_between_pixels(build_trainer):
    trainer = build_trainer(PHOTO)
    batch = trainer.dataset.cut(trainer.dataset.draw(2, torch.Generator().manual_seed(1)))
    luma, chroma = trainer.network.predict(batch.lr)
    loss, objective = trainer.update._loss(batch)
    expected = (luma - batch.hr).abs().mean()
    torch.testing.assert_close(loss, expected.detach())
    for axis in (2, 3):
        expected = expected + 0.1 * (luma - batch.hr).diff(dim=axis).abs().mean()
    torch.testing.assert_close(objective, expected + 0.5 * (chroma - batch.chroma).abs().mean())


def test_a_run_is_scored_on_as_many_threads_as_are_asked_for(build_trainer):
    trainer, before = build_trainer(), torch.get_num_threads()
    trainer.save()
    try:
        for threads in (1, 3):
            load_run(trainer.out, 2, threads)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_the_teacher_counts_until_its_share_of_the_schedule(build_trainer, monkeypatch):
    trainer = build_trainer(replace(CONFIG, distillation=0.7, distillation_until=0.5))
    weights = []
    monkeypatch.setattr(
        trainer, "update", lambda places, rate, weight, sharp: weights.append(weight) or torch.zeros(())
    )
    for _ in range(6):
        trainer._step()
    assert weights == [0.7, 0.7, 0.7, 0, 0, 0]


def test_validation_takes_the_mean_over_all_versions(build_trainer):
    trainer = build_trainer(PHOTO)
    (pair,) = trainer.validation
    alone = trainer.validate()
    trainer.validation = [replace(pair, lr=pair.lr.repeat(2, axis=0), strengths=(0.0, 0.0))]
    assert trainer.validate() == pytest.approx(alone)
    trainer.validation = [replace(pair, lr=np.concatenate([pair.lr, 255 - pair.lr]), strengths=(0.0, 0.9))]
    assert trainer.validate() < alone


def test_start_from_luma_of_a_larger_scale_keeps_the_head(build_trainer, tmp_path):
    first = build_trainer(out=tmp_path / "first")
    source = Checkpoint.load(first.save())
    larger = replace(source.config, network=replace(source.config.network, scale=4))
    tail = {"tail.weight": torch.zeros(16, 64, 3, 3), "tail.bias": torch.zeros(16)}
    second = build_trainer(PHOTO, tmp_path / "second")
    own_tail = second.network.tail.weight.clone()
    second.start_from(replace(source, config=larger, ema=source.ema | tail))
    assert torch.equal(second.network.head.weight[:, :1], first.ema.head.weight)
    assert torch.equal(second.network.tail.weight, own_tail)
