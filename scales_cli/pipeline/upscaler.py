"""From a picture to a picture of `scale` times its size, whatever its channels."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.config import SCALES
from scales_cli.engine.base import Engine, load_engine
from scales_cli.engine.composition import compose, luma, upscale_bicubic
from scales_cli.engine.threads import JobPool, usable_cores
from scales_cli.errors import UsageError, WeightsError
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import MAX_OUTPUT_PIXELS
from scales_cli.imaging.picture import Pixels
from scales_cli.pipeline import alpha as transparency
from scales_cli.weights.store import find_model

Progress = Callable[[float], None]


class Upscaler:
    """Enlarges pictures with one engine: the network's residual is added to the bicubic picture in every channel."""

    def __init__(self, engine: Engine, *, name: str = "", threads: int | None = None) -> None:
        self.engine = engine
        self.scale = engine.spec.scale
        self.name = name  # of the model
        self._jobs = JobPool(threads or usable_cores())

    def __call__(self, image: Pixels) -> Pixels:
        return self.upscale(image)

    def upscale(self, image: Pixels, *, progress: Progress | None = None) -> Pixels:
        """[H, W] or [H, W, C], uint8 or uint16, grey, grey+alpha, RGB or RGBA -> the same of scale times the size."""
        pixels = _checked(image)
        if pixels.shape[2] in (1, 3):
            result = self._upscale_opaque(pixels, progress)
        else:
            result = self._upscale_transparent(pixels[..., :-1], pixels[..., -1:], progress)
        return result[..., 0] if image.ndim == 2 else result

    def _upscale_opaque(self, colour: NDArray[Any], progress: Progress | None) -> NDArray[Any]:
        return compose(colour, self._residual(colour, progress), self.scale, jobs=self._jobs)

    def _upscale_transparent(
        self, colour: NDArray[Any], alpha: NDArray[Any], progress: Progress | None
    ) -> NDArray[Any]:
        if (alpha == alpha[0, 0]).all():
            result = self._upscale_opaque(colour, progress)
            return np.concatenate([result, np.full_like(result[..., :1], alpha[0, 0, 0])], axis=2)
        residual = self._residual(transparency.visible_colours(colour, alpha), progress)
        return transparency.enlarge(colour, alpha, residual, self._bicubic)

    def _bicubic(self, planes: NDArray[np.uint16], rows: tuple[int, int]) -> NDArray[np.uint16]:
        return upscale_bicubic(planes, self.scale, rows=rows, jobs=self._jobs)

    def _residual(self, colour: NDArray[Any], progress: Progress | None) -> NDArray[np.float32]:
        """The network's residual for [H, W, 1 or 3], one plane for grey pictures whatever the network sees."""
        if self.engine.spec.colors == 1:
            planes: NDArray[Any] = luma(colour)[None]
        else:
            maximum = np.float32(np.iinfo(colour.dtype).max)
            planes = np.moveaxis(np.broadcast_to(colour, (*colour.shape[:2], 3)), 2, 0) / maximum
        residual = self.engine.residual(np.ascontiguousarray(planes, np.float32), progress=progress)
        if residual.shape[0] > colour.shape[2]:
            residual = residual.mean(axis=0, keepdims=True)
        if not np.isfinite(residual).all():
            raise WeightsError("the network gave values that are not numbers", "the model is unusable; choose another")
        return residual


def load_upscaler(scale: int = 4, model: str | os.PathLike[str] | None = None, threads: int | None = None) -> Upscaler:
    """An `Upscaler` for a model's name or path."""
    if scale not in SCALES:
        raise UsageError(f"scale {scale!r} is not supported", "use 2, 3 or 4")
    found = find_model(model, scale)
    return Upscaler(load_engine(found.weights, threads=threads), name=found.name, threads=threads)


def upscale(
    image: Pixels | str | os.PathLike[str],
    scale: int = 4,
    model: str | os.PathLike[str] | None = None,
    threads: int | None = None,
) -> Pixels:
    """Enlarges an array or a picture file; gives an array, [H, W] for grey files."""
    upscaler = load_upscaler(scale, model, threads)
    if not isinstance(image, (str, os.PathLike)):
        return upscaler.upscale(image)
    pixels = read_image(image, max_pixels=MAX_OUTPUT_PIXELS // scale**2).pixels
    return upscaler.upscale(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _checked(image: Any) -> NDArray[Any]:
    """[H, W, C] view of an array that is a picture."""
    expected = "give uint8 or uint16 of shape [H, W] or [H, W, C] with 1 to 4 channels"
    if not isinstance(image, np.ndarray) or image.dtype not in (np.uint8, np.uint16):
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"{kind} is not a picture", expected)
    if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] > 4):
        raise UsageError(f"an array of shape {list(image.shape)} is not a picture", expected)
    return image if image.ndim == 3 else image[..., None]
