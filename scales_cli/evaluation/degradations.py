"""Pictures as people have them, for tests: known degradations of known pictures, the same on every machine.

Training draws its own at random from wide ranges (`training.degradation`); these are fixed.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scales_cli.errors import UsageError
from scales_cli.imaging.resize import imresize

SHIFT = 4  # pixels between the grids of two JPEG codings: half a block


@dataclass(frozen=True)
class KnownDegradation:
    """Blur, bicubic reduction, noise, coding, in this order; what is left at its default does not happen.

    blur: deviation of a Gaussian in LR pixels. noise: deviation in grey levels, `grey` if the same in all colors.
    times: how often JPEG codes the picture, each time on a grid that is shifted by half a block.
    """

    name: str
    blur: float = 0.0
    noise: float = 0.0
    grey: bool = False
    coder: str = "PNG"
    quality: int = 0
    subsampling: int = 2  # as Pillow numbers it: 0 is 4:4:4, 2 is 4:2:0
    times: int = 1

    def file(self, name: str, hr: NDArray[np.uint8], scale: int) -> bytes:
        """The LR picture of `hr` [sH, sW, 3] as a file; `name` is that of the picture and decides its noise."""
        rng = np.random.default_rng(zlib.crc32(f"{name} {self.name}".encode()))
        lr = self._noisy(np.asarray(imresize(self._blurred(hr, scale), 1 / scale), np.uint8), rng)
        if self.coder == "PNG":
            return _coded(lr, "PNG")
        options = {"subsampling": self.subsampling} if self.coder == "JPEG" else {}
        for _ in range(self.times - 1):
            stream = io.BytesIO(_coded(_shifted(lr), self.coder, quality=self.quality, **options))
            with Image.open(stream) as image:
                lr = np.array(image.convert("RGB"))[SHIFT:, SHIFT:]
        return _coded(lr, self.coder, quality=self.quality, **options)

    def _blurred(self, hr: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
        import cv2

        if not self.blur:
            return hr
        return np.asarray(cv2.GaussianBlur(hr, (0, 0), self.blur * scale, borderType=cv2.BORDER_REFLECT), np.uint8)

    def _noisy(self, lr: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        if not self.noise:
            return lr
        noise = rng.normal(0, self.noise, (*lr.shape[:2], 1 if self.grey else 3))
        return np.clip(np.floor(lr + noise + 0.5), 0, 255).astype(np.uint8)


def _shifted(lr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.pad(lr, ((SHIFT, 0), (SHIFT, 0), (0, 0)), mode="symmetric")


def _coded(pixels: NDArray[np.uint8], coder: str, **options: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, coder, **options)
    return stream.getvalue()


def _jpeg(quality: int) -> KnownDegradation:
    return KnownDegradation(f"q{quality}", coder="JPEG", quality=quality)


DEGRADATIONS = (
    KnownDegradation("clean"),
    *(_jpeg(quality) for quality in (95, 90, 85, 75, 60, 50, 30, 15)),
    KnownDegradation("q60-444", coder="JPEG", quality=60, subsampling=0),
    KnownDegradation("q60-twice", coder="JPEG", quality=60, times=2),
    KnownDegradation("webp50", coder="WEBP", quality=50),
    *(KnownDegradation(f"noise{sigma}", noise=sigma) for sigma in (3, 5, 10, 20)),
    KnownDegradation("grey10", noise=10, grey=True),
    *(KnownDegradation(f"blur{sigma}", blur=sigma) for sigma in (0.8, 1.2)),
    KnownDegradation("phone", blur=0.6, noise=5, coder="JPEG", quality=75),
    KnownDegradation("old", blur=1.0, noise=8, coder="JPEG", quality=50),
)


def degradations(names: list[str]) -> tuple[KnownDegradation, ...]:
    """Those of these names, "all" for every one; raises `UsageError` for an unknown name."""
    known = {item.name: item for item in DEGRADATIONS}
    if unknown := [name for name in names if name not in {"all", *known}]:
        raise UsageError(f"unknown degradation {unknown[0]!r}", f"known are all, {', '.join(known)}")
    return DEGRADATIONS if "all" in names else tuple(known[name] for name in names)
