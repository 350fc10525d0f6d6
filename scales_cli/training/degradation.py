"""LR pictures as people have them: a clean picture goes through a lens, a sensor, a program and a coder.

The order is blur, reduction, noise, sharpening, coding; `config.Degradation` has the ranges. What a network is told of
it is one number, the strength: how much the worst of them asks to be mended, 0 for none and 1 for the most.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scales_cli.imaging.resize import imresize
from scales_cli.imaging.rgb import LUMA
from scales_cli.imaging.wear.estimate import JPEG_SPAN, LEAST, NOISE_SPAN, WEBP_SHARE
from scales_cli.training.config import Degradation, Range

Pixels = NDArray[np.float32]  # RGB [H, W, 3] in 0..255, not rounded
Coded = NDArray[np.uint8]

BLUR_SHARE = 0.3  # strength of a blur of one LR pixel
BLOCK = 8  # pixels of a JPEG block's side


def variants(hr: Coded, scale: int, settings: Degradation, seed: Sequence[int]) -> Iterator[tuple[Coded, float]]:
    """LR RGB pictures [H, W, 3] of `hr` [sH, sW, 3] with their strengths: the clean one, then degraded ones."""
    rng = np.random.default_rng(seed)
    yield np.asarray(imresize(hr, 1 / scale), np.uint8), 0.0
    for _ in range(settings.variants - 1):
        yield Degrader(settings, scale, rng).degrade(hr)


@dataclass
class Degrader:
    """One degradation in the making; `strength` follows the worst so far."""

    settings: Degradation
    scale: int
    rng: np.random.Generator
    strength: float = LEAST

    def degrade(self, hr: Coded) -> tuple[Coded, float]:
        """The LR picture of `hr` and its strength, with an error as an estimate has it."""
        lr = self.reduce(self.blur(hr.astype(np.float32)))
        coded = self.code(self.sharpen(self.add_noise(lr)))
        error = self.rng.normal(0, self.settings.jitter)
        return coded, float(np.clip(self.strength + error, LEAST, 1))

    def blur(self, hr: Pixels) -> Pixels:
        import cv2

        settings = self.settings
        if not self.happens(settings.blur):
            return hr
        across = self.between(settings.blur_sigma)
        along = self.between(settings.blur_sigma) if self.happens(settings.anisotropic) else across
        self.note(BLUR_SHARE * max(across, along))
        kernel = gaussian(across * self.scale, along * self.scale, self.rng.uniform(0, np.pi))
        return cv2.filter2D(hr, -1, kernel, borderType=cv2.BORDER_REFLECT)

    def reduce(self, hr: Pixels) -> Pixels:
        """`hr` at the LR size, by a kernel drawn at random."""
        names = list(self.settings.kernels)
        shares = np.array([self.settings.kernels[name] for name in names])
        kernel = KERNELS[names[self.rng.choice(len(names), p=shares / shares.sum())]]
        return np.clip(kernel(hr, (hr.shape[0] // self.scale, hr.shape[1] // self.scale)), 0, 255)

    def add_noise(self, lr: Pixels) -> Pixels:
        import cv2

        settings = self.settings
        if not self.happens(settings.noise):
            return lr
        strong = self.happens(settings.strong_noise)
        sigma = self.between(settings.strong_noise_sigma if strong else settings.noise_sigma)
        grey = self.happens(settings.grey_noise)
        noise = self.rng.standard_normal((*lr.shape[:2], 1 if grey else 3), np.float32)
        if self.happens(settings.correlated_noise):
            spread = max(self.between(settings.noise_blur_sigma), 1e-3)  # of 0 OpenCV would ask for a size
            noise = cv2.GaussianBlur(noise, (0, 0), spread).reshape(noise.shape)
            noise /= noise.std() + 1e-6
        if self.happens(settings.signal_noise):
            # Half of the variance at middle grey comes from the light's own noise.
            noise = noise * np.sqrt(0.5 + lr.mean(axis=2, keepdims=True) / 255)
        noise = sigma * np.broadcast_to(noise, lr.shape)
        self.note(float((noise @ LUMA).std()) / NOISE_SPAN)
        return np.clip(lr + noise, 0, 255)

    def sharpen(self, lr: Pixels) -> Pixels:
        import cv2

        if not self.happens(self.settings.sharpen):
            return lr
        amount = self.between(self.settings.sharpen_amount)
        soft = cv2.GaussianBlur(lr, (0, 0), 1.0)
        return np.clip(lr + amount * (lr - soft), 0, 255)

    def code(self, lr: Pixels) -> Coded:
        """`lr` through JPEG, once or twice, or WebP, or only rounded."""
        settings = self.settings
        if self.happens(settings.jpeg):
            if self.happens(settings.jpeg_twice):
                lr = self.code_before(lr)
            return self.jpeg(lr, settings.jpeg_quality)
        if self.happens(settings.webp):
            quality = self.between(settings.webp_quality)
            self.note(WEBP_SHARE * (100 - quality) / JPEG_SPAN)
            return recode(rounded(lr), "WEBP", quality=round(quality), method=2)
        return rounded(lr)

    def code_before(self, lr: Pixels) -> Pixels:
        """The trace of an earlier JPEG, which was of another size if not on another grid."""
        height, width = lr.shape[:2]
        factor = self.between(self.settings.first_size) if self.happens(self.settings.resized) else 1.0
        sides = (max(BLOCK, round(height * factor)), max(BLOCK, round(width * factor)))
        earlier = lr if factor == 1.0 else np.clip(KERNELS["bicubic"](lr, sides), 0, 255)
        coded = self.jpeg(earlier, self.settings.first_quality).astype(np.float32)
        return coded if factor == 1.0 else np.clip(KERNELS["bicubic"](coded, (height, width)), 0, 255)

    def jpeg(self, lr: Pixels, qualities: Range) -> Coded:
        """Through JPEG whose blocks begin anywhere: the picture was cut out of a larger one, or will be."""
        quality = self.between(qualities)
        self.note((100 - quality) / JPEG_SPAN)
        top, left = self.rng.integers(0, BLOCK, 2)
        padded = np.pad(rounded(lr), ((top, 0), (left, 0), (0, 0)), mode="symmetric")
        subsampling = 2 if self.happens(self.settings.subsampled) else 0
        return recode(padded, "JPEG", quality=round(quality), subsampling=subsampling)[top:, left:]

    def happens(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def between(self, bounds: Range) -> float:
        return float(self.rng.uniform(*bounds))

    def note(self, strength: float) -> None:
        self.strength = max(self.strength, strength)


def rounded(pixels: Pixels) -> Coded:
    return np.clip(np.floor(pixels + 0.5), 0, 255).astype(np.uint8)


def recode(pixels: Coded, name: str, **options: Any) -> Coded:
    """What comes back from a coder."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, name, **options)
    with Image.open(stream) as image:
        return np.array(image.convert("RGB"))


def gaussian(across: float, along: float, angle: float) -> NDArray[np.float32]:
    """A Gaussian kernel of two deviations in pixels, turned by `angle`; its sum is 1."""
    reach = int(np.ceil(3 * max(across, along)))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    u = (x * np.cos(angle) + y * np.sin(angle)) / max(across, 1e-3)
    v = (y * np.cos(angle) - x * np.sin(angle)) / max(along, 1e-3)
    kernel = np.exp(-(u * u + v * v) / 2)
    return (kernel / kernel.sum()).astype(np.float32)


def _by_pillow(method: Image.Resampling) -> Callable[[Pixels, tuple[int, int]], Pixels]:
    def resize(pixels: Pixels, shape: tuple[int, int]) -> Pixels:
        planes = [Image.fromarray(plane).resize(shape[::-1], method) for plane in np.moveaxis(pixels, 2, 0)]
        return np.stack([np.asarray(plane) for plane in planes], axis=2)

    return resize


# Ways to change a picture's size, wider when it shrinks but for "nearest", which takes single pixels as cheap programs
# do. Pillow's bicubic kernel is that of `imaging.resize`.
KERNELS: dict[str, Callable[[Pixels, tuple[int, int]], Pixels]] = {
    "bicubic": _by_pillow(Image.Resampling.BICUBIC),
    "lanczos": _by_pillow(Image.Resampling.LANCZOS),
    "area": _by_pillow(Image.Resampling.BOX),
    "bilinear": _by_pillow(Image.Resampling.BILINEAR),
    "nearest": _by_pillow(Image.Resampling.NEAREST),
}
