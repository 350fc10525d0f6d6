"""The output picture: the bicubic picture plus the network's residual, by exact arithmetic; and the luma it sees."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine import native_module as native
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


def spread_chroma(
    luma: NDArray[np.float32],
    chroma: NDArray[np.float32],
    scale: int,
    *,
    rows: tuple[int, int],
    first: int,
    height: int,
    threads: ThreadPool | None = None,
) -> NDArray[np.float32]:
    """The residual of R, G and B, [3, y1 - y0, scale * W], for output rows [y0, y1) of a picture of `height` LR rows.

    `luma` [y1 - y0, scale * W] is that of these rows, `chroma` [2, n, W] that of LR rows from `first` on, of which two
    are needed on either side of those that the output rows lie in. It is enlarged bicubically.
    """
    begin, end = rows
    luma, chroma = np.ascontiguousarray(luma), np.ascontiguousarray(chroma)
    out = np.empty((3, *luma.shape), np.float32)
    step = max(1, _JOB_SAMPLES // (3 * luma.shape[1]))

    def part(y: int) -> None:
        last = min(y + step, end)
        band = np.empty((3, last - y, luma.shape[1]), np.float32)
        native.spread_chroma(luma[y - begin : last - begin], chroma, scale, y, last, first, height, band)
        out[:, y - begin : last - begin] = band

    (threads or ThreadPool(1)).run(partial(part, y) for y in range(begin, end, step))
    return out


def upscale_bicubic(
    image: NDArray[Sample], scale: int, *, rows: tuple[int, int] | None = None, threads: ThreadPool | None = None
) -> NDArray[Sample]:
    """`compose` without a residual."""
    return compose(image, None, scale, rows=rows, threads=threads)


def compose(
    image: NDArray[Sample],
    residual: NDArray[np.float32] | None,
    scale: int,
    *,
    rows: tuple[int, int] | None = None,
    threads: ThreadPool | None = None,
) -> NDArray[Sample]:
    """round_half_up(bicubic + residual * max), clamped, for output rows [y0, y1) (default: all of them).

    `image` is uint8 or uint16 [H, W, C] with 1 to 4 channels, `residual` float32 [1 or C, y1 - y0, scale * W] in units
    of the full range; one residual channel is added to every channel. The bicubic picture (a = -1/2, half-pixel phases,
    mirrored edges) is an exact fraction and is rounded only once, together with the residual.
    """
    _check_image(image)
    begin, end = rows or (0, scale * image.shape[0])
    # The kernel reaches two LR rows beyond those of the output, and mirrors the picture at its own edges only.
    top = max(begin // scale - 2, 0)
    image = np.ascontiguousarray(image[top : (end - 1) // scale + 3])
    width = scale * image.shape[1]
    out = np.empty((end - begin, width, image.shape[2]), image.dtype)
    step = max(1, _JOB_SAMPLES // (width * image.shape[2]))

    def part(first: int, last: int) -> None:
        added = None
        if residual is not None:
            added = np.ascontiguousarray(residual[:, first - begin : last - begin])
        native.compose(image, added, scale, first - scale * top, last - scale * top, out[first - begin : last - begin])

    (threads or ThreadPool(1)).run(partial(part, y, min(y + step, end)) for y in range(begin, end, step))
    return out


def _check_image(image: NDArray[Sample]) -> None:
    if image.dtype not in (np.uint8, np.uint16) or image.ndim != 3 or not 1 <= image.shape[2] <= 4 or 0 in image.shape:
        raise InputError(
            f"cannot compose a picture of {image.dtype}{list(image.shape)}", "give uint8 or uint16 [H, W, 1 to 4]"
        )
