"""Files that contenders load: made once, in a process of its own, so that their making is in no contender's memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.contenders.plain import PLAIN_SHAPES
from scales_cli.engine.composition import luma
from scales_cli.errors import ScalesError
from scales_cli.evaluation.datasets import find_benchmark

CROPS, CROP_SIDE = 32, 64


@dataclass(frozen=True)
class Preparation:
    """`data` is a folder of HR pictures to calibrate on, or None for synthetic ones."""

    spec: NetworkSpec
    exports: Path
    data: Path | None


Step = Callable[[Preparation], None]


def export_twin(preparation: Preparation) -> None:
    from scales_cli.bench.contenders.torch_runtime import export

    if preparation.spec.is_transformer:
        raise ScalesError("a Transformer is exported for one size only; torch runs its twin")
    export("twin", preparation.spec, preparation.exports / "twin.onnx")


def export_fsrcnn(preparation: Preparation) -> None:
    from scales_cli.bench.contenders.torch_runtime import export

    export("fsrcnn", preparation.spec, preparation.exports / "fsrcnn.onnx")


def export_espcn(preparation: Preparation) -> None:
    from scales_cli.bench.contenders.torch_runtime import export

    export("espcn", preparation.spec, preparation.exports / "espcn.onnx")


def export_plain(preparation: Preparation) -> None:
    from scales_cli.bench.contenders.torch_runtime import export

    for name in PLAIN_SHAPES:
        export(name, preparation.spec, preparation.exports / f"{name}.onnx")


def quantize_plain(preparation: Preparation) -> None:
    """As the scores of `contenders.plain` were made."""
    from scales_cli.bench.contenders.openvino_runtime import quantize

    crops = np.repeat(synthetic_crops(), 3, axis=2)  # colors alike: ranges decide neither time nor memory
    for name in PLAIN_SHAPES:
        quantize(preparation.exports / f"{name}.onnx", preparation.exports / f"{name}-int8.xml", crops, keep_last=True)


def quantize_twin(preparation: Preparation) -> None:
    from scales_cli.bench.contenders.openvino_runtime import quantize

    if preparation.spec.inputs != 1:
        raise ScalesError("only twins that see luma are quantized")
    crops = synthetic_crops() if preparation.data is None else benchmark_crops(preparation.data, preparation.spec.scale)
    quantize(preparation.exports / "twin.onnx", preparation.exports / "twin-int8.xml", crops)


def prepare(preparation: Preparation, steps: tuple[Step, ...]) -> dict[Step, str]:
    """Takes the steps in order; returns what went wrong in those that failed."""
    failures = {}
    for step in steps:
        try:
            step(preparation)
        except Exception as error:  # of any runtime: its contenders are left out, the others run
            failures[step] = f"{type(error).__name__}: {error}"
    return failures


def benchmark_crops(folder: Path, scale: int) -> NDArray[np.float32]:
    """LR luma [N, 1, 1, 64, 64] from random places of a folder's pictures."""
    rng = np.random.default_rng(0)
    crops = []
    for pair in list(find_benchmark(folder, scale))[:CROPS]:
        plane = luma(pair.load(scale)[1])
        plane = np.pad(plane, [(0, max(0, CROP_SIDE - length)) for length in plane.shape], "symmetric")
        y, x = (rng.integers(length - CROP_SIDE + 1) for length in plane.shape)
        crops.append(plane[y : y + CROP_SIDE, x : x + CROP_SIDE])
    return np.stack(crops)[:, None, None]


def synthetic_crops() -> NDArray[np.float32]:
    """[32, 1, 1, 64, 64] with the 1/f spectrum of natural pictures, each filling [0, 1]."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(CROP_SIDE)[:, None], np.fft.rfftfreq(CROP_SIDE))
    frequency[0, 0] = 1
    noise = np.fft.rfft2(rng.normal(size=(CROPS, CROP_SIDE, CROP_SIDE))) / frequency
    crops = np.fft.irfft2(noise, s=(CROP_SIDE, CROP_SIDE), axes=(1, 2))
    crops -= crops.min((1, 2), keepdims=True)
    crops /= crops.max((1, 2), keepdims=True)
    return crops.astype(np.float32)[:, None, None]
