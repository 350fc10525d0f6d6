"""From a picture to a picture of `scale` times its size, whatever its channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scales_cli.arguments import check_kinds
from scales_cli.engine.base import Engine
from scales_cli.engine.composition import Addition, compose, upscale_bicubic
from scales_cli.engine.ensemble import ensemble_of
from scales_cli.engine.tiling import Tiling
from scales_cli.errors import UsageError
from scales_cli.imaging.picture import Details, Pixels, check_sides
from scales_cli.imaging.wear.estimate import Wear, estimate_wear
from scales_cli.pipeline import alpha as transparency
from scales_cli.pipeline.flats import flat_weights
from scales_cli.pipeline.pillow import to_details, to_image, to_pixels
from scales_cli.pipeline.planes import PicturePlanes, Read, additions
from scales_cli.system.progress import Progress
from scales_cli.system.resources import thread_count
from scales_cli.system.threads import ThreadPool
from scales_cli.weights.family import not_told

UNKNOWN = Details()  # of pixels that are of no file


@dataclass(frozen=True)
class Chosen:
    """What enlarges a picture, and how much it mends, in [0, 1]; None if its network is not told.

    `wear` is what the picture shows, None if there was no need to look.
    """

    upscaler: Upscaler
    strength: float | None = None
    wear: Wear | None = None

    def upscale(self, pixels: Pixels, progress: Progress | None = None) -> Pixels:
        """The picture [H, W, C], scale times as large."""
        height, width, channels = pixels.shape
        scale = self.upscaler.scale
        result = np.empty((height * scale, width * scale, channels), pixels.dtype)
        done = 0
        for rows in self.upscale_rows(pixels, progress=progress):
            result[done : done + len(rows)] = rows
            done += len(rows)
        return result

    def upscale_rows(
        self, pixels: Pixels, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Pixels]:
        """The rows of `upscale` from the top down, some at a time [rows, sW, C]; `tiling` as the engine's."""
        return self.upscaler.enlarge(pixels, self.strength or 0.0, tiling, progress)


class Upscaler:
    """Enlarges pictures with one engine: the network's residual is added to the bicubic picture.

    With `ensemble` 2, 4 or 8 that is its mean over as many flips and turns.
    """

    def __init__(self, engine: Engine, *, name: str = "", threads: int | None = None, ensemble: int = 1) -> None:
        self.engine = ensemble_of(engine, ensemble)
        self.ensemble = int(ensemble)
        self.scale = engine.spec.scale
        self.name = name  # of the model
        self.threads = ThreadPool(thread_count(threads))

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
        check_kinds(strength=strength, progress=progress)
        if isinstance(image, Image.Image):
            pixels = to_pixels(image)
            return to_image(self.choose(pixels, to_details(image), strength).upscale(pixels, progress), image)
        pixels = _checked(image)
        result = self.choose(pixels, strength=strength).upscale(pixels, progress)
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
        return self.choose(pixels, strength=strength).upscale_rows(pixels, tiling=tiling, progress=progress)

    def choose(self, pixels: Pixels, details: Details = UNKNOWN, strength: float | None = None) -> Chosen:
        """What enlarges a picture [H, W, C] from a file of these details, by the `strength` asked for or what it shows.

        Raises `UsageError` if a strength is asked for of a network that is not told.
        """
        if not self.engine.spec.strength:
            if strength is not None:
                raise not_told(self.name)
            return Chosen(self)
        if strength is None:
            wear = estimate_wear(pixels, details)
            return Chosen(self, wear.strength, wear)
        if not 0 <= strength <= 1:
            raise UsageError(f"strength is {strength!r}", "give a number from 0 to 1")
        return Chosen(self, strength)

    def candidates(self, strength: float | None) -> Iterator[Upscaler]:
        """What `choose` chooses from, if this strength is asked for."""
        yield self

    def looks(self, strength: float | None) -> bool:
        """Whether `choose` looks at the picture, if this strength is asked for."""
        return strength is None and self.engine.spec.strength

    def enlarge(
        self, pixels: Pixels, strength: float, tiling: Tiling | None, progress: Progress | None
    ) -> Iterator[Pixels]:
        """The rows of the picture [H, W, C] by this network, which ignores the strength if it is not told."""
        height, width, channels = pixels.shape
        color, alpha = (pixels, None) if channels in (1, 3) else (pixels[..., :-1], pixels[..., -1:])
        read: Read = partial(crop, color)
        finish = self._finish_opaque
        if alpha is not None and (alpha == alpha[0, 0]).all():
            finish = self._finish_constant_alpha
        elif alpha is not None:
            read = transparency.VisibleColors(color, alpha).read
            finish = self._finish_transparent
        source = PicturePlanes(height, width, self.engine.spec, read, strength)
        pieces = self.engine.residual_rows(source, tiling=tiling, progress=progress)
        sees_color = self.engine.spec.planes != "luma"
        channels = 1 if sees_color and is_grey(color, alpha) else color.shape[2]
        for added in additions(pieces, height, self.scale, channels):
            begin, end = added.rows
            rows = begin // self.scale, end // self.scale
            weights = flat_weights(read, (height, width), rows, self.threads)
            result = finish(pixels, replace(added, weights=weights))
            del added, weights  # so that one piece is in memory, not two
            yield result
            del result

    def _finish_opaque(self, pixels: Pixels, added: Addition) -> Pixels:
        """The output rows that the addition is for."""
        return compose(pixels, added, self.scale, threads=self.threads)

    def _finish_constant_alpha(self, pixels: Pixels, added: Addition) -> Pixels:
        result = self._finish_opaque(pixels[..., :-1], added)
        return np.concatenate([result, np.full_like(result[..., :1], pixels[0, 0, -1])], axis=2)

    def _finish_transparent(self, pixels: Pixels, added: Addition) -> Pixels:
        return transparency.enlarge(pixels[..., :-1], pixels[..., -1:], added, self.scale, self._enlarge_bicubically)

    def _enlarge_bicubically(self, planes: NDArray[np.uint16], rows: tuple[int, int]) -> NDArray[np.uint16]:
        return upscale_bicubic(planes, self.scale, rows=rows, threads=self.threads)


def is_grey(color: Pixels, alpha: Pixels | None = None) -> bool:
    """Whether all pixels [H, W, 1 or 3] that are not invisible have R = G = B."""
    if color.shape[2] == 1:
        return True
    for y, row in enumerate(color):
        differ = (row[:, :2] != row[:, 1:]).any(axis=1)
        if (differ if alpha is None else differ & (alpha[y, :, 0] > 0)).any():
            return False
    return True


def crop(pixels: Pixels, top: int, bottom: int, left: int, right: int) -> Pixels:
    return pixels[top:bottom, left:right]


def _checked(image: Any) -> Pixels:
    """The [H, W, C] of an array that is a picture: its own numbers, as this machine and the native code read them."""
    expected = "give uint8 or uint16 of shape [H, W] or [H, W, C] with 1 to 4 channels"
    if not isinstance(image, np.ndarray) or image.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise UsageError(f"{kind} is not a picture", expected)
    if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] > 4):
        raise UsageError(f"an array of shape {list(image.shape)} is not a picture", expected)
    check_sides(image.shape[1], image.shape[0])
    pixels = np.require(image, image.dtype.newbyteorder("="), ["ALIGNED", "ENSUREARRAY"])
    return pixels if pixels.ndim == 3 else pixels[..., None]
