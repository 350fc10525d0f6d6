"""How steady video is: clips made of pictures, standing or moving, with noise that is new in each frame.

What the output changes from frame to frame is set against what bicubic interpolation changes: for frames enlarged one
by one, and for the frames of a video. The true frames are known, so there is a PSNR, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine.composition import upscale_bicubic
from scales_cli.imaging.metrics import crop_border, psnr
from scales_cli.imaging.resize import imresize
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.system.progress import Progress
from scales_cli.video.enlarger import FrameEnlarger
from scales_cli.video.frame import Frame, PixelFormat, VideoFormat

MOTIONS = {"stands": 0.0, "creeps": 0.05, "pans": 1.0}  # LR pixels a frame, to the right; six tenths of that down
NOISES = (0.0, 0.25, 0.5, 1.0, 2.0)  # standard deviation in grey levels of 255
_FRAMES = 10
_SIDE = 128  # of the frames at most, in LR pixels
_PIXELS = PixelFormat(None, 16, full_range=True)  # fine enough for noise of a quarter level
_SEED = 20231270

Luma = NDArray[np.float64]


@dataclass(frozen=True)
class ClipScores:
    """Means over clips. A change is the output's over bicubic's, from the last but one frame to the last."""

    motion: str
    noise: float
    change_alone: float
    change: float
    psnr_alone: float
    psnr: float


def score_clips(
    upscaler: Upscaler, pictures: Sequence[Luma], *, progress: Progress | None = None
) -> Iterator[ClipScores]:
    """Scores for each motion and noise, of clips over HR luma [H, W] in 0..255."""
    kinds = [(motion, noise) for motion in MOTIONS for noise in NOISES if noise or MOTIONS[motion]]
    for index, (motion, noise) in enumerate(kinds):
        rows = [_score(upscaler, picture, MOTIONS[motion], noise) for picture in pictures]
        # Changes are energies: pictures that change more count for more, not those that hardly change at all.
        bicubic, alone, steady = np.sqrt(np.mean([row[:3] for row in rows], axis=0))
        yield ClipScores(
            motion, noise, alone / bicubic, steady / bicubic, *np.mean([row[3:] for row in rows], axis=0).tolist()
        )
        if progress:
            progress((index + 1) / len(kinds))


def _score(upscaler: Upscaler, picture: Luma, speed: float, noise: float) -> tuple[float, ...]:
    """Mean squares of the last change of bicubic, single and video frames, and the PSNR of the latter two."""
    frames = list(_clip(picture, upscaler.scale, speed, noise))
    height, width = frames[0][1].shape
    enlarger = FrameEnlarger(
        upscaler, VideoFormat(width, height, _PIXELS), (width * upscaler.scale, height * upscaler.scale)
    )
    steady = [enlarger.enlarge(Frame((luma,))).planes[0] / 257 for _, luma in frames]
    last = frames[-2:]
    alone = [upscaler.upscale(luma) / 257 for _, luma in last]
    bicubic = [upscale_bicubic(luma[..., None], upscaler.scale)[..., 0] / 257 for _, luma in last]
    changes = [float(np.mean((after - before) ** 2)) for before, after in (bicubic, alone, steady[-2:])]
    truth = frames[-1][0]
    scores = [psnr(*(crop_border(one, upscaler.scale) for one in (truth, made))) for made in (alone[-1], steady[-1])]
    return (*changes, *scores)


def _clip(picture: Luma, scale: int, speed: float, noise: float) -> Iterator[tuple[Luma, NDArray[np.uint16]]]:
    """True frames and the noisy small ones, in 16 bits."""
    import cv2

    reach = round(scale * (speed * _FRAMES + 8))  # within the picture, wherever the frames move
    height, width = (min(side - 2 * reach, scale * _SIDE) // scale * scale for side in picture.shape)
    rng = np.random.default_rng(_SEED)
    for index in range(_FRAMES):
        right, down = (reach + scale * speed * index * share for share in (1.0, 0.6))
        turn = np.array([[1, 0, -right], [0, 1, -down]])
        truth = cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_CUBIC).astype(np.float64)
        small = imresize(truth, 1 / scale) + noise * rng.standard_normal((height // scale, width // scale))
        yield truth, np.clip(np.round(257 * small), 0, 65535).astype(np.uint16)
