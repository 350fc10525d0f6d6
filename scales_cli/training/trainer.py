"""The training loop: L1 on the planes, Adam with warm-up and cosine, moving average, exact resume."""

from __future__ import annotations

import copy
import math
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

import scales_cli
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import DivergedError, OutputError, UsageError, WeightsError
from scales_cli.networks.base import Network
from scales_cli.networks.build import build_network
from scales_cli.networks.calibration import calibrate, unfold_factors
from scales_cli.system.files import remove_abandoned_files
from scales_cli.training import checkpoint
from scales_cli.training.checkpoint import Checkpoint, RunRecord
from scales_cli.training.config import TrainConfig
from scales_cli.training.dataset import Pair, PatchDataset
from scales_cli.training.device import device_name, use_fast_products
from scales_cli.training.distributed import ALONE, Processes
from scales_cli.training.log import Log
from scales_cli.training.teacher import open_teacher
from scales_cli.training.update import Update

CHECKPOINT_SECONDS = 60
REPORT_STEPS = 50
STUDIO_RANGE = 219.0  # of BT.601 luma, in which papers state PSNR; RGB uses 255


@dataclass(frozen=True)
class Status:
    """What a step's observer sees. `loss` is the mean L1 in grey levels of 255 since the last report."""

    progress: RunRecord
    loss: float
    learning_rate: float
    steps_per_second: float


class Trainer:
    """One run in the folder `out`. Construct, then `resume()` or `start_from()` if wanted, then `run()`."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: PatchDataset,
        validation: Sequence[Pair],
        out: Path,
        *,
        device: torch.device,
        compiled: bool = True,
        data_name: str = "",
        teacher_name: str = "",
        pictures: str = "",
        processes: Processes = ALONE,
    ) -> None:
        if config.batch_size % processes.count:
            raise UsageError(
                f"{processes.count} processes cannot share batches of {config.batch_size}",
                "set batch_size to a multiple of their number",
            )
        self.processes = processes
        self.config, self.dataset, self.validation, self.out, self.device = config, dataset, validation, out, device
        torch.manual_seed(config.seed)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.network = build_network(config.network)
        self.network.to(device, memory_format=torch.channels_last)
        self.first_batch = dataset.cut(dataset.draw(config.batch_size, self.generator).to(device)).lr
        calibrate(self.network, self.first_batch)
        self.ema = copy.deepcopy(self.network).requires_grad_(False).eval()
        use_fast_products(self.network, device)
        self.update = Update(self.network, dataset, config, processes, compiled=compiled)
        self.progress = RunRecord(
            device=device_name(device),
            commit=describe_commit(),
            data=data_name,
            teacher=teacher_name,
            pictures=pictures,
        )
        self.log = Log(out / "log.csv")
        self.saved: Path | None = None  # the checkpoint that this run has read or written last
        self.stopping = False

    def resume(self) -> None:
        """Goes on exactly where the newest checkpoint in the run's folder stopped; starts anew if there is none."""
        if (path := checkpoint.latest(self.out)) is None:
            return
        saved = Checkpoint.load(path)
        if replace(saved.config, steps=self.config.steps) != self.config:
            raise UsageError(f"{path} was trained with other settings", "give the same ones, or another -o with --init")
        before, own = saved.progress, self.progress
        pictures = before.pictures or own.pictures  # earlier versions noted none
        if (before.data, before.teacher, pictures) != (own.data, own.teacher, own.pictures):
            raise UsageError(
                f"{path} had other pictures or another teacher",
                "give the same --data, --valid and --teacher, or another -o with --init",
            )
        try:
            self.network.load_state_dict(saved.model)
            self.ema.load_state_dict(saved.ema)
        except RuntimeError as error:
            raise WeightsError(f"{path}: its tensors are not those of its network", "start anew") from error
        checkpoint.restore_optimizer(path, self.update.optimizer, self.generator)
        self.progress, self.saved = replace(before, pictures=own.pictures), path

    def start_from(self, source: Checkpoint) -> None:
        """Takes over every averaged tensor that fits by name and shape: at another scale, all but the tail.

        A network of more planes than the other's luma starts with weights of its own for them.
        From a body of other convolutions, such as a full-precision twin's, that is the weights; what reaches each layer
        is new then, and measured again. A packed model's body starts out as it is.
        """
        own, spec = self.network.state_dict(), source.config.network
        given = source.ema | _widened(source, self.network)
        fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
        needed = {name for name in own | source.ema if name.startswith(("body.", "head."))}
        if not source.packed:  # parts that only one of the two has are what staged trainings add
            needed = {name for name in needed if (own | source.ema)[name].dim() > 1}
        if not needed <= set(fitting):
            raise UsageError(
                "the body of --init does not fit this network",
                "give one with the same blocks, channels and planes, whose layers have the same parts",
            )
        if source.packed and gate_factors(spec) != gate_factors(self.config.network):
            raise UsageError("the layers of --init have other gate factors", "set gate_factor to 2")
        self.network.load_state_dict(own | fitting)
        if spec.layers != self.config.network.layers:
            calibrate(self.network, self.first_batch)
        elif source.packed:
            unfold_factors(self.network, self.first_batch)
        self.ema.load_state_dict(self.network.state_dict())
        self.progress = replace(self.progress, history=(*source.progress.history, _describe(source)))

    def distil_from(self, source: Checkpoint) -> None:
        """Adds the distance to another network's pictures to the loss.

        They are made once, whole, each as the mean over the eight flips and turns, which is better than a single one.
        """
        spec, own = source.config.network, self.network.spec
        if (spec.scale, spec.colors) != (own.scale, own.colors) or spec.inputs != spec.colors:
            raise UsageError(
                "the teacher has another scale or other planes", "give a teacher of the same scale, of luma or RGB"
            )
        teacher = open_teacher(source, self.device)
        self.dataset.teach(lambda lr: teacher(lr[:, : spec.inputs]))
        self.progress = replace(self.progress, teacher=_describe(source))

    def run(
        self,
        observe: Callable[[Status], None],
        *,
        max_seconds: float = math.inf,
        validate_every: int = 1000,
        compiling: Callable[[], None] = lambda: None,
    ) -> None:
        """Trains until the schedule's end, `max_seconds` from now, or `stopping`; leaves a checkpoint and a log.

        `compiling` is called before a first step that compiles, which takes minutes and counts in no time. Raises
        `DivergedError` if the loss is no longer finite; the last checkpoint is kept then.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        if self.processes.lead:
            remove_abandoned_files(self.out)
            self.log.cut(self.progress.step)
        started = last_saved = time.monotonic()
        ending = False
        while not (ending or self._finished):
            began, compiled, losses = time.monotonic(), 0.0, list[Tensor]()
            while True:
                if self.update.untried:
                    compiling()
                    losses.append(self._step())
                    compiled = time.monotonic() - began
                    started += compiled
                else:
                    losses.append(self._step())
                now = time.monotonic()
                late, slow = now - started > max_seconds, now - began - compiled > CHECKPOINT_SECONDS
                ending, due = self.processes.any(self.stopping or late, slow)
                if ending or due or self._finished or self.progress.step % REPORT_STEPS == 0:
                    break
            loss = self.processes.mean(255 * torch.stack(losses).mean().item())
            seconds = time.monotonic() - began - compiled
            self.progress = replace(self.progress, seconds=self.progress.seconds + seconds)
            if not math.isfinite(loss):
                raise DivergedError(
                    f"the loss is not finite at step {self.progress.step}",
                    "start again with a lower learning_rate, by --init from the run if it has a checkpoint",
                )
            if not self.processes.lead:
                continue
            if self.progress.step % validate_every == 0 or self._finished:
                psnr = self.validate()
                self.log.add(self.progress.step, self.progress.seconds, self.learning_rate(), loss, psnr)
                self.progress = replace(self.progress, valid_psnr=psnr)
            counted = len(losses) - (compiled > 0)
            rate = counted / seconds if counted else 1 / (compiled + seconds)
            observe(Status(self.progress, loss, self.learning_rate(), rate))
            now = time.monotonic()
            if now - last_saved > CHECKPOINT_SECONDS:
                self.save()
                last_saved = now
        if self.processes.lead:
            self.save()

    @property
    def _finished(self) -> bool:
        return self.progress.step >= self.config.steps

    def save(self) -> Path:
        """Writes a checkpoint of the present state. Raises `OutputError`, as well if another run has written one."""
        self.out.mkdir(parents=True, exist_ok=True)
        if checkpoint.latest(self.out) not in (None, self.saved):
            raise OutputError(f"{self.out}: another run writes its checkpoints there", "give each run its own -o")
        self.saved = checkpoint.save(
            self.out, self.config, self.progress, self.network, self.ema, self.update.optimizer, self.generator
        )
        return self.saved

    def learning_rate(self) -> float:
        """Linear warm-up, then half a cosine from `learning_rate` to `final_learning_rate` over the schedule."""
        config, step = self.config, self.progress.step
        warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
        cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / config.steps)))
        return warmup * (config.final_learning_rate + (config.learning_rate - config.final_learning_rate) * cosine)

    def sign_sharpness(self) -> float:
        """From 1 at the start evenly to `sign_sharpness` at the schedule's end."""
        return 1 + (self.config.sign_sharpness - 1) * min(1.0, self.progress.step / self.config.steps)

    @torch.no_grad()
    def validate(self) -> float:
        """Mean PSNR in dB of the averaged network on whole validation pictures, borders of `scale` pixels cropped."""
        scale = self.network.spec.scale
        peak = 255.0 if self.network.spec.colors == 3 else 255.0**2 / STUDIO_RANGE
        total = 0.0
        pictures = 0
        for pair in self.validation:
            hr = torch.from_numpy(pair.hr).to(self.device).float()
            for version, strength in zip(pair.lr, pair.strengths, strict=True):
                lr = torch.from_numpy(version).to(self.device)[None].float() / 255
                if self.network.spec.strength:
                    lr = torch.cat([lr, torch.full_like(lr[:, :1], strength)], 1)
                sr = self.ema(lr)[0].clamp(0, 1) * 255
                error = (sr - hr)[..., scale:-scale, scale:-scale].square().mean().item()
                total += 10 * math.log10(peak**2 / max(error, 1e-10))
                pictures += 1
        return total / pictures

    def _step(self) -> Tensor:
        places = self.dataset.draw(self.config.batch_size, self.generator)
        taught = self.progress.step < self.config.distillation_until * self.config.steps
        distillation = self.config.distillation if taught else 0.0
        loss = self.update(places, self.learning_rate(), distillation, self.sign_sharpness())
        step = self.progress.step + 1
        decay = min(self.config.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.network.parameters()), 1 - decay)
            for average, value in zip(self.ema.buffers(), self.network.buffers(), strict=True):
                average.copy_(value)
        self.progress = replace(self.progress, step=step)
        return loss


def _widened(source: Checkpoint, network: Network) -> dict[str, Tensor]:
    """Head and tail of a network of luma, with more input planes and chroma outputs if `network` has them.

    Weights of the chroma, at both ends, are the new network's own, for from zeros they hardly grow: what little chroma
    is in the features then drowns in luma. Those of the strength are 0. So grey pictures start out nearly as they were.
    """
    spec, own = source.config.network, network.spec
    if spec.colors != 1 or own.colors != 1 or spec.inputs > own.inputs:
        return {}
    if spec.planes != own.planes and spec.strength:  # whose weights would become those of another plane
        return {}
    wanted = {"head.weight": spec.inputs < own.inputs}
    wanted |= dict.fromkeys(("tail.weight", "tail.bias"), spec.scale == own.scale and spec.outputs < own.outputs)
    widened = {}
    for name in (name for name, wide in wanted.items() if wide and name in source.ema):
        given, own_value = source.ema[name], network.state_dict()[name]
        wide = own_value.clone()
        if name == "head.weight" and own.strength:
            wide[:, -1] = 0
        wide[tuple(slice(length) for length in given.shape)] = given
        widened[name] = wide
    return widened


def gate_factors(spec: NetworkSpec) -> list[object]:
    return [options.get("gate_factor", 2.0) for options in (spec.conv_options, spec.linear_options)]


def _describe(source: Checkpoint) -> str:
    """A line on a run, for the model card of one that builds on it."""
    spec, progress = source.config.network, source.progress
    size = f"{spec.n_convs}x{spec.n_feats}" if spec.runs_natively else spec.backbone
    return f"{spec.layers} {size} x{spec.scale}, {progress.step} steps, {progress.seconds:.0f} s"


def describe_commit() -> str:
    """The commit of the source tree this runs from, or the package's version where it is installed."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        subprocess.run([*command[:3], "ls-files", "--error-unmatch", __file__], capture_output=True, check=True)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return scales_cli.__version__
