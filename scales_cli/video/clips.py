"""How steady video is: real clips, and ones made of pictures, standing or moving, with noise that is new in each frame.

What the output changes from frame to frame is set against what bicubic interpolation changes: for frames enlarged one
by one, and for the frames of a video. The true frames are known, so there is a PSNR, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.engine.composition import upscale_bicubic
from scales_cli.errors import InputError
from scales_cli.imaging.metrics import crop_border, psnr
from scales_cli.imaging.resize import imresize
from scales_cli.pipeline.upscaler import Upscaler
from scales_cli.system.progress import Progress
from scales_cli.video.enlarger import FrameEnlarger
from scales_cli.video.frame import Frame, PixelFormat, Reader, VideoFormat

MOTIONS = {"stands": 0.0, "creeps": 0.05, "pans": 1.0}  # LR pixels a frame, to the right; six tenths of that down
NOISES = (0.0, 0.25, 0.5, 1.0, 2.0)  # standard deviation in grey levels of 255
_FRAMES = 10
_REAL_FRAMES = 30
_SIDE = 128  # of the frames at most, in LR pixels
_PIXELS = PixelFormat(None, 16, full_range=True)  # fine enough for noise of a quarter level
_SEED = 20231270

Luma = NDArray[np.float64]
TrueAndSmall = tuple[Luma, NDArray[np.uint16]]  # a frame in 0..255, and the small one in 16 bits


@dataclass(frozen=True)
class ClipScores:
    """Means over clips. A change is the output's over bicubic's, from the last but one frame to the last.

    Of a real clip, `motion` is its name, `noise` is None, and the changes and PSNR are those of its second half.
    """

    motion: str
    noise: float | None
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
        clips = (list(_clip(picture, upscaler.scale, MOTIONS[motion], noise)) for picture in pictures)
        yield _means(motion, noise, [_score(upscaler, clip, counted=1) for clip in clips])
        if progress:
            progress((index + 1) / len(kinds))


def score_video(upscaler: Upscaler, name: str, reader: Reader) -> ClipScores:
    """Scores of a real clip: the first frames of a video, whose middle is made smaller and enlarged again.

    Raises `InputError` if there are fewer than four.
    """
    clip = list(_real_clip(reader, upscaler.scale))
    if len(clip) < 4:
        raise InputError("it has fewer than four frames", "give a longer one")
    return _means(name, None, [_score(upscaler, clip, counted=len(clip) // 2)])


def _means(motion: str, noise: float | None, rows: list[tuple[float, ...]]) -> ClipScores:
    # Changes are energies: pictures that change more count for more, not those that hardly change at all.
    bicubic, alone, steady = np.sqrt(np.mean([row[:3] for row in rows], axis=0))
    if not bicubic:
        raise InputError("nothing changes in it", "give one that moves")
    return ClipScores(
        motion, noise, alone / bicubic, steady / bicubic, *np.mean([row[3:] for row in rows], axis=0).tolist()
    )


def _score(upscaler: Upscaler, frames: Sequence[TrueAndSmall], counted: int) -> tuple[float, ...]:
    """Mean squares of the last changes of bicubic, single and video frames, and the PSNR of the latter two."""
    height, width = frames[0][1].shape
    enlarger = FrameEnlarger(
        upscaler, VideoFormat(width, height, _PIXELS), (width * upscaler.scale, height * upscaler.scale)
    )
    steady = [enlarger.enlarge(Frame((luma,))).planes[0] / 257 for _, luma in frames]
    last = frames[-counted - 1 :]
    alone = [upscaler.upscale(luma) / 257 for _, luma in last]
    bicubic = [upscale_bicubic(luma[..., None], upscaler.scale)[..., 0] / 257 for _, luma in last]
    steady = steady[-counted - 1 :]
    changes = [float(np.mean(np.diff(made, axis=0) ** 2)) for made in (bicubic, alone, steady)]
    truths = [truth for truth, _ in last]
    scores = [
        float(np.mean([_psnr(truth, one, upscaler.scale) for truth, one in zip(truths[1:], made[1:], strict=True)]))
        for made in (alone, steady)
    ]
    return (*changes, *scores)


def _psnr(truth: Luma, made: Luma, scale: int) -> float:
    return psnr(crop_border(truth, scale), crop_border(made, scale))


def _clip(picture: Luma, scale: int, speed: float, noise: float) -> Iterator[TrueAndSmall]:
    """True frames and the noisy small ones, in 16 bits."""
    import cv2

    reach = round(scale * (speed * _FRAMES + 8))  # within the picture, wherever the frames move
    height, width = (min(side - 2 * reach, scale * _SIDE) // scale * scale for side in picture.shape)
    if min(height, width) < 8 * scale:
        size = f"{picture.shape[1]} x {picture.shape[0]} pixels"
        raise InputError(f"a picture of {size} is too small to move over it", "give larger HR pictures")
    rng = np.random.default_rng(_SEED)
    for index in range(_FRAMES):
        right, down = (reach + scale * speed * index * share for share in (1.0, 0.6))
        turn = np.array([[1, 0, -right], [0, 1, -down]])
        truth = cv2.warpAffine(picture, turn, (width, height), flags=cv2.INTER_CUBIC).astype(np.float64)
        small = imresize(truth, 1 / scale) + noise * rng.standard_normal((height // scale, width // scale))
        yield truth, _as_codes(small)


def _real_clip(reader: Reader, scale: int) -> Iterator[TrueAndSmall]:
    pixels, video = reader.format.pixels, reader.format
    height, width = (min(side, scale * _SIDE) // scale * scale for side in (video.height, video.width))
    top, left = (video.height - height) // 2, (video.width - width) // 2
    for frame in itertools.islice(reader.frames(), _REAL_FRAMES):
        codes = frame.planes[0][top : top + height, left : left + width].astype(np.float64)
        truth = np.clip(255 * (codes - pixels.black_level) / pixels.luma_span, 0, 255)
        yield truth, _as_codes(imresize(truth, 1 / scale))


def _as_codes(luma: NDArray[Any]) -> NDArray[np.uint16]:
    return np.clip(np.round(257 * luma), 0, 65535).astype(np.uint16)
