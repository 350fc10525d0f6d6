"""From a trained network to the packed 1-bit file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from scales_cli.engine.load import load_engine
from scales_cli.engine.torch.packing import pack
from scales_cli.evaluation.datasets import find_benchmarks
from scales_cli.evaluation.scores import evaluate
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.training.checkpoint import Checkpoint
from scales_cli.weights.packed import PackedWeights


def pack_run(source: Checkpoint) -> PackedWeights:
    """The run's averaged network, packed, with its model card."""
    return pack(source.network(), model_card(source) | {"psnr": {}})


def score_packed(
    weights: PackedWeights,
    folders: Sequence[str],
    threads: int | None = None,
    *,
    progress: Callable[[float], None] | None = None,
) -> dict[str, dict[str, float]]:
    """Mean PSNR and SSIM of the native engine on benchmark folders, for the model card; not those that are infinite."""
    upscaler = Upscaler(load_engine(weights, threads=threads), threads=threads)
    report = evaluate(upscaler, find_benchmarks(folders, weights.spec.scale), progress=progress)
    return {
        item.name: {"psnr": round(item.mean.psnr, 3), "ssim": round(item.mean.ssim, 4)}
        for item in report.benchmarks
        if math.isfinite(item.mean.psnr)
    }


def model_card(source: Checkpoint) -> dict[str, Any]:
    """How the weights came to be; figures are the run's own records."""
    config, progress = source.config, source.progress
    return {
        "data": progress.data,
        "steps": progress.step,
        "seconds": round(progress.seconds),
        "device": progress.device,
        "training": config.to_dict(),
        "started_from": list(progress.history),
        "teacher": progress.teacher,
        "valid_psnr": None if progress.valid_psnr is None else round(progress.valid_psnr, 3),
        "licence": "Apache-2.0",
        "commit": progress.commit,
    }
