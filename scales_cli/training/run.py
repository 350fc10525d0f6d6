"""A training run from folders of pictures to a packed model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from scales_cli.engine.torch.reference_engine import ReferenceEngine
from scales_cli.errors import OutputError, UsageError
from scales_cli.evaluation.datasets import recognised
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.system.files import unwritable_above
from scales_cli.training import checkpoint
from scales_cli.training.checkpoint import Checkpoint
from scales_cli.training.config import TrainConfig
from scales_cli.training.dataset import Pair, PatchDataset
from scales_cli.training.device import choose_device
from scales_cli.training.distributed import ALONE, Processes
from scales_cli.training.export import pack_run
from scales_cli.training.pictures import TILE, PairLoader, fingerprint, list_pictures, split_validation, without
from scales_cli.training.trainer import Trainer

COMPILE_FROM_STEPS = 1000  # compiling takes about half a minute; shorter runs do without
VALIDATION_VARIANTS = 4  # of each validation picture, where pictures are degraded
COMPILE_TRANSFORMERS_FROM_STEPS = 50  # a minute and a half, but a step is ten times as fast then


@dataclass(frozen=True)
class TrainingData:
    """Pictures to train on, on the device, and others to validate with."""

    patches: PatchDataset
    validation: Sequence[Pair]
    name: str
    device: torch.device
    teacher: str = ""  # whose pictures stand beside the true ones
    fingerprint: str = ""


def load_data(
    config: TrainConfig, data: Path, valid: Path | None, device: str = "auto", *, teacher_pictures: Path | None = None
) -> TrainingData:
    """Reads the pictures below two folders; without `valid`, some of `data` are held out.

    `teacher_pictures` is a folder of those that another network has drawn of the ones in `data`.
    """
    chosen = choose_device(device)
    if config.network.scale * config.patch_size > TILE:
        raise UsageError(
            f"patches of {config.patch_size} pixels are larger than the tiles that pictures are cut into",
            f"set patch_size to at most {TILE // config.network.scale}",
        )
    paths = list_pictures(data)
    training, held_out = without(paths, list_pictures(valid)) if valid else split_validation(paths)
    spec, degradation = config.network, config.degradation
    few = degradation and replace(degradation, variants=min(degradation.variants, VALIDATION_VARIANTS))
    validator = PairLoader(spec, few)
    validation = list(validator.load(held_out))
    while not (validation or valid) and training:  # others take the place of held-out ones that cannot be read
        held_out, training = training[:1], training[1:]
        validation = list(validator.load(held_out))
    if not validation:
        raise UsageError("no validation picture could be read", "give a folder of pictures with --valid")
    if set(training) & set(held_out):
        warnings.warn("there is one picture: it validates, too, which says little", stacklevel=2)
    for name in sorted(recognised(path.resolve() for path in training)):
        warnings.warn(f"{data} holds pictures of {name}, whose scores will say nothing then", stacklevel=2)
    loader = PairLoader(spec, degradation, seed=config.seed, teacher=teacher_pictures, least=config.patch_size)
    pairs = list(loader.load(training))
    if not (pairs or valid):  # nor can any other be read
        pairs = list(loader.load(held_out))
    pairs += loader.draw(sum(pair.hr[0].size for pair in pairs))
    patches = PatchDataset(pairs, spec.scale, config.patch_size, chosen, strength=spec.strength)
    name = f"{data.resolve().name}: {len(training)} files, {patches.hr.shape[1] / 1e6:.1f} MP"
    teacher = "" if teacher_pictures is None else f"pictures of {teacher_pictures.absolute().name}"
    folders = (folder for folder in (data, valid, teacher_pictures) if folder is not None)
    return TrainingData(patches, validation, name, chosen, teacher, fingerprint(*folders))


def start_run(config: TrainConfig, data: TrainingData, out: Path, processes: Processes = ALONE) -> Trainer:
    """A trainer with a new network."""
    compile_from = COMPILE_TRANSFORMERS_FROM_STEPS if config.network.is_transformer else COMPILE_FROM_STEPS
    return Trainer(
        config,
        data.patches,
        data.validation,
        out,
        device=data.device,
        compiled=config.steps >= compile_from,
        data_name=data.name,
        teacher_name=data.teacher,
        pictures=data.fingerprint,
        processes=processes,
    )


def open_run(
    config: TrainConfig,
    data: Path,
    valid: Path | None,
    out: Path,
    *,
    init: Path | None = None,
    teacher: Path | None = None,
    teacher_pictures: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    processes: Processes = ALONE,
) -> Trainer:
    """Reads the pictures and builds the network; begins anew, from another run (`init`) or where `out` stopped."""
    if any(next(out.glob(name), None) for name in ("weights-*", "model.safetensors")):
        if not resume:
            raise UsageError(f"{out} already holds a run", "go on with --resume or give another -o")
        if checkpoint.latest(out) is None:  # beginning anew would replace what is left
            raise UsageError(
                f"{out} holds what a run left, but no whole checkpoint to go on from",
                "give another -o, with --init to start from what is left",
            )
    try:
        str(out).encode()
    except UnicodeEncodeError as error:  # which safetensors cannot write to
        raise UsageError(f"{out} is not valid UTF-8", "give another -o") from error
    if (folder := unwritable_above(out)) is not None:  # said before pictures are read, which may take minutes
        raise OutputError(f"{out}: the folder {folder} cannot be written to", "choose another -o")
    if teacher is not None and teacher_pictures is not None:
        raise UsageError("a run has one teacher", "give --teacher or --teacher-pictures")
    pictures = load_data(config, data, valid, device, teacher_pictures=teacher_pictures)
    trainer = start_run(config, pictures, out, processes)
    if init is not None and checkpoint.latest(out) is None:
        trainer.start_from(Checkpoint.load(init))
    if teacher is not None:
        trainer.distil_from(Checkpoint.load(teacher))
    if resume:
        trainer.resume()
    return trainer


def export_run(trainer: Trainer) -> Path:
    """The run's packed model, or its checkpoint where the network is not a 1-bit one."""
    path = checkpoint.latest(trainer.out) or trainer.save()
    if trainer.config.network.layers != "scales":
        return path
    pack_run(Checkpoint.load(path)).save(trainer.out / "model.safetensors")
    return trainer.out / "model.safetensors"


def load_run(run: Path, scale: int, threads: int | None = None, *, ensemble: int = 1) -> Upscaler:
    """An `Upscaler` that runs a checkpoint's averaged network in torch, whatever its convolution."""
    if threads is not None:
        torch.set_num_threads(threads)
    source = Checkpoint.load(run)
    if source.config.network.scale != scale:
        own = source.config.network.scale
        raise UsageError(f"{run} enlarges by {own}, not by {scale}", f"add -s {own} or choose another run")
    return Upscaler(ReferenceEngine(source.network()), name=run.name, ensemble=ensemble)
