"""The output picture: the bicubic picture plus the network's residual, by exact arithmetic; and the luma it sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine import native_module as native
from scales_cli.engine.base import not_finite
from scales_cli.errors import InputError
from scales_cli.system.threads import ThreadPool

Sample = TypeVar("Sample", np.uint8, np.uint16)

_JOB_SAMPLES = 2**21  # output samples: some milliseconds


def luma(image: NDArray[Sample]) -> NDArray[np.float32]:
    """Y = (19595 R + 38470 G + 7471 B) / 65536 in [0, 1], float32 [H, W], of uint8 or uint16 [H, W, C].

    One or two channels are grey (with alpha) and give what R = G = B would; three or four are RGB (with alpha).
    """
    _check_image(image)
    out = np.empty(image.shape[:2], np.float32)
    native.luma(np.ascontiguousarray(image), out)
    return out


def ycc(image: NDArray[Sample]) -> NDArray[np.float32]:
    """Y as `luma` gives it, and (B - Y) / 1.772 and (R - Y) / 1.402 about 128 / 255, float32 [3, H, W]."""
    _check_image(image)
    out = np.empty((3, *image.shape[:2]), np.float32)
    native.ycc(np.ascontiguousarray(image), out)
    return out


@dataclass(frozen=True, eq=False)
class Addition:
    """What a network adds to output rows from `first_row` on, float32 in units of the full range.

    residual: [1 or C, rows, scale * W]; one channel is added to every channel.
    chroma: None or [2, n, W], the blue and red difference to add to LR rows from `chroma_first` on. They are enlarged
        bicubically, for which two more rows are needed on either side of those that the output rows lie in.
    weights: None or [n, W], what both are multiplied by, of the LR rows that the output rows lie in.
    """

    residual: NDArray[np.float32]
    first_row: int = 0
    chroma: NDArray[np.float32] | None = None
    chroma_first: int = 0
    weights: NDArray[np.float32] | None = None

    @property
    def rows(self) -> tuple[int, int]:
        """The output rows."""
        return self.first_row, self.first_row + self.residual.shape[1]

    def spread(self, rows: tuple[int, int], scale: int, height: int) -> NDArray[np.float32]:
        """What is added to the channels of some of the output rows, [rows, scale * W, 1 or 3].

        `height` is the picture's, in LR rows. Raises `WeightsError` if some of it is infinite or no number.
        """
        begin, end = rows
        channels = 1 if self.chroma is None and self.residual.shape[0] == 1 else 3
        out = np.empty((end - begin, self.residual.shape[2], channels), np.float32)
        part = self._part(begin, end, scale)
        if not native.spread_addends(scale=scale, begin=begin, end=end, height=height, out=out, **part):
            raise not_finite()
        return out

    def _part(self, begin: int, end: int, scale: int, top: int = 0) -> dict[str, Any]:
        """What native code is given for output rows [begin, end) of a picture that begins with LR row `top`."""
        first = self.first_row
        weights = self.weights
        if weights is not None:
            weights = weights[begin // scale - first // scale : (end - 1) // scale + 1 - first // scale]
        residual = np.ascontiguousarray(self.residual[:, begin - first : end - first])
        chroma_first = self.chroma_first - top
        return {"residual": residual, "chroma": self.chroma, "chroma_first": chroma_first, "weights": weights}


def upscale_bicubic(
    image: NDArray[Sample], scale: int, *, rows: tuple[int, int] | None = None, threads: ThreadPool | None = None
) -> NDArray[Sample]:
    """`compose` without an addition, for output rows [y0, y1) (default: all of them)."""
    return _compose(image, None, scale, rows or (0, scale * image.shape[0]), threads)


def compose(
    image: NDArray[Sample], added: Addition, scale: int, *, threads: ThreadPool | None = None
) -> NDArray[Sample]:
    """round_half_up(bicubic + addition * max), clamped, for the output rows of the addition.

    `image` is uint8 or uint16 [H, W, C] with 1 to 4 channels. The bicubic picture (a = -1/2, half-pixel phases,
    mirrored edges) is an exact fraction and is rounded only once, together with what is added. Raises `WeightsError`
    if some of that is infinite or no number.
    """
    return _compose(image, added, scale, added.rows, threads)


def _compose(
    image: NDArray[Sample], added: Addition | None, scale: int, rows: tuple[int, int], threads: ThreadPool | None
) -> NDArray[Sample]:
    _check_image(image)
    begin, end = rows
    # The kernel reaches two LR rows beyond those of the output, and mirrors the picture at its own edges only.
    top = max(begin // scale - 2, 0)
    image = np.ascontiguousarray(image[top : (end - 1) // scale + 3])
    width = scale * image.shape[1]
    out = np.empty((end - begin, width, image.shape[2]), image.dtype)
    step = max(1, _JOB_SAMPLES // (width * image.shape[2]))

    def part(first: int, last: int) -> None:
        given: dict[str, Any] = {"residual": None} if added is None else added._part(first, last, scale, top)
        rows: dict[str, Any] = {
            "begin": first - scale * top,
            "end": last - scale * top,
            "out": out[first - begin : last - begin],
        }
        if not native.compose(image, scale=scale, **rows, **given):
            raise not_finite()

    (threads or ThreadPool(1)).run(partial(part, y, min(y + step, end)) for y in range(begin, end, step))
    return out


def _check_image(image: NDArray[Sample]) -> None:
    if image.dtype not in (np.uint8, np.uint16) or image.ndim != 3 or not 1 <= image.shape[2] <= 4 or 0 in image.shape:
        raise InputError(
            f"cannot compose a picture of {image.dtype}{list(image.shape)}", "give uint8 or uint16 [H, W, 1 to 4]"
        )
