"""From a picture to a picture of `scale` times its size, whatever its channels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scales_cli.backbones.spec import SCALES
from scales_cli.engine.base import Engine, Planes, check_finite
from scales_cli.engine.composition import compose, upscale_bicubic
from scales_cli.engine.ensemble import ensemble_of
from scales_cli.engine.load import load_engine
from scales_cli.engine.tiling import Tiling
from scales_cli.errors import UsageError
from scales_cli.imaging.picture import Details, Pixels
from scales_cli.imaging.wear.estimate import estimate_wear
from scales_cli.pipeline import alpha as transparency
from scales_cli.pipeline.pillow import to_image, to_pixels
from scales_cli.pipeline.planes import PicturePlanes, Read, residual_colors
from scales_cli.system.progress import Progress
from scales_cli.system.resources import usable_cores
from scales_cli.system.threads import ThreadPool
from scales_cli.weights.family import ModelFamily, resolve


class Upscaler:
    """Enlarges pictures with one engine: the network's residual is added to the bicubic picture.

    With `ensemble` 2, 4 or 8 that is its mean over as many flips and turns.
    """

    def __init__(self, engine: Engine, *, name: str = "", threads: int | None = None, ensemble: int = 1) -> None:
        self.engine = ensemble_of(engine, ensemble)
        self.ensemble = ensemble
        self.scale = engine.spec.scale
        self.name = name  # of the model
        self.threads = ThreadPool(threads or usable_cores())

    @overload
    def __call__(self, image: Pixels) -> Pixels: ...
    @overload
    def __call__(self, image: Image.Image) -> Image.Image: ...
    def __call__(self, image: Pixels | Image.Image) -> Pixels | Image.Image:
        return self.upscale(image)

    @overload
    def upscale(self, image: Pixels, *, strength: float | None = None, progress: Progress | None = None) -> Pixels: ...
    @overload
    def upscale(
        self, image: Image.Image, *, strength: float | None = None, progress: Progress | None = None
    ) -> Image.Image: ...
    def upscale(
        self, image: Pixels | Image.Image, *, strength: float | None = None, progress: Progress | None = None
    ) -> Pixels | Image.Image:
        """The same of scale times the size: an array, or an image of Pillow, which keeps its profile.

        Arrays are [H, W] or [H, W, C], uint8 or uint16, grey, grey+alpha, RGB or RGBA. `strength` in [0, 1] says how
        much is to be mended, to networks that are told; without it, it is what the picture shows.
        """
        if isinstance(image, Image.Image):
            return to_image(self.upscale(to_pixels(image), strength=strength, progress=progress), image)
        pixels = _checked(image)
        height, width, channels = pixels.shape
        result = np.empty((height * self.scale, width * self.scale, channels), pixels.dtype)
        done = 0
        for rows in self.upscale_rows(pixels, strength=strength, progress=progress):
            result[done : done + len(rows)] = rows
            done += len(rows)
        return result[..., 0] if image.ndim == 2 else result

    def upscale_rows(
        self,
        image: Pixels,
        *,
        strength: float | None = None,
        tiling: Tiling | None = None,
        progress: Progress | None = None,
    ) -> Iterator[Pixels]:
        """The rows of `upscale` from the top down, some at a time [rows, sW, C]; `tiling` as the engine's."""
        pixels = _checked(image)
        height, width, channels = pixels.shape
        color, alpha = (pixels, None) if channels in (1, 3) else (pixels[..., :-1], pixels[..., -1:])
        read: Read = partial(_crop, color)
        finish = self._finish_opaque
        if alpha is not None and (alpha == alpha[0, 0]).all():
            finish = self._finish_constant_alpha
        elif alpha is not None:
            read = transparency.VisibleColors(color, alpha).read
            finish = self._finish_transparent
        source = PicturePlanes(
            height, width, self.engine.spec, read, self.strength_for(pixels, Details(), strength) or 0
        )
        pieces = self.engine.residual_rows(source, tiling=tiling, progress=progress)
        sees_color = self.engine.spec.planes != "luma"
        channels = 1 if sees_color and is_grey(color, alpha) else color.shape[2]
        row = 0
        for residual in residual_colors(pieces, height, self.scale, channels, self.threads):
            check_finite(residual)
            rows = finish(pixels, residual, row)
            row += residual.shape[1]
            del residual  # so that one piece is in memory, not two
            yield rows
            del rows

    def strength_for(self, pixels: Pixels, details: Details, wanted: float | None) -> float | None:
        """How much is mended of a picture [H, W, C] from a file of these details: what is wanted, or what it shows.

        None if the network is not told. Raises `UsageError` if it should be.
        """
        if not self.engine.spec.strength:
            if wanted is not None:
                raise not_told(self.name)
            return None
        if wanted is not None and not 0 <= wanted <= 1:
            raise UsageError(f"strength is {wanted!r}", "give a number from 0 to 1")
        return estimate_wear(pixels, details).strength if wanted is None else wanted

    def _finish_opaque(self, pixels: Pixels, residual: Planes, row: int) -> Pixels:
        """Output rows from `row` on, as many as the residual has."""
        return compose(pixels, residual, self.scale, rows=(row, row + residual.shape[1]), threads=self.threads)

    def _finish_constant_alpha(self, pixels: Pixels, residual: Planes, row: int) -> Pixels:
        result = self._finish_opaque(pixels[..., :-1], residual, row)
        return np.concatenate([result, np.full_like(result[..., :1], pixels[0, 0, -1])], axis=2)

    def _finish_transparent(self, pixels: Pixels, residual: Planes, row: int) -> Pixels:
        return transparency.enlarge(
            pixels[..., :-1], pixels[..., -1:], residual, self.scale, row, self._enlarge_bicubically
        )

    def _enlarge_bicubically(self, planes: NDArray[np.uint16], rows: tuple[int, int]) -> NDArray[np.uint16]:
        return upscale_bicubic(planes, self.scale, rows=rows, threads=self.threads)


class Upscalers(dict[int, Upscaler]):
    """The upscalers of a model by their scale; those that are not `opened` yet are when they are first asked for."""

    def __init__(
        self,
        family: ModelFamily,
        threads: int | None = None,
        opened: Iterable[Upscaler] = (),
        *,
        ensemble: int = 1,
    ) -> None:
        super().__init__({upscaler.scale: upscaler for upscaler in opened})
        self._family, self._threads, self._ensemble = family, threads, ensemble

    def __missing__(self, scale: int) -> Upscaler:
        model = self._family.open(scale)
        engine = load_engine(model.weights, threads=self._threads)
        self[scale] = Upscaler(engine, name=model.name, threads=self._threads, ensemble=self._ensemble)
        return self[scale]


def load(
    model: str | os.PathLike[str] | None = None, scale: int = 4, *, threads: int | None = None, ensemble: int = 1
) -> Upscaler:
    """An `Upscaler` for a model's name or path; without one, for the default model.

    With an `ensemble` of 2, 4 or 8, the network sees each picture in as many flips and turns, which takes as many times
    as long; the mean is a little better. Raises `WeightsError` if there is no such model, or none for the scale.
    """
    if scale not in SCALES:
        raise UsageError(f"scale {scale!r} is not supported", "use 2, 3 or 4")
    return Upscalers(resolve(model), threads, ensemble=ensemble)[scale]


def not_told(model: str) -> UsageError:
    """What is wrong if a model is told how much to mend that was not trained for it."""
    return UsageError(f"{model} does not mend noise or JPEG blocks", "leave --denoise out, or choose a photo model")


def is_grey(color: Pixels, alpha: Pixels | None = None) -> bool:
    """Whether all pixels [H, W, 1 or 3] that are not invisible have R = G = B."""
    if color.shape[2] == 1:
        return True
    for y, row in enumerate(color):
        differ = (row[:, :2] != row[:, 1:]).any(axis=1)
        if (differ if alpha is None else differ & (alpha[y, :, 0] > 0)).any():
            return False
    return True


def _crop(pixels: Pixels, top: int, bottom: int, left: int, right: int) -> Pixels:
    return pixels[top:bottom, left:right]


def _checked(image: Any) -> NDArray[Any]:
    """[H, W, C] view of an array that is a picture."""
    expected = "give uint8 or uint16 of shape [H, W] or [H, W, C] with 1 to 4 channels"
    if not isinstance(image, np.ndarray) or image.dtype not in (np.uint8, np.uint16):
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"{kind} is not a picture", expected)
    if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] > 4):
        raise UsageError(f"an array of shape {list(image.shape)} is not a picture", expected)
    return image if image.ndim == 3 else image[..., None]
