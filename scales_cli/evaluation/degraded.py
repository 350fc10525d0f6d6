"""Scores on pictures as people have them: references, each degraded in known ways and enlarged as a file."""

from __future__ import annotations

import dataclasses
import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scales_cli.errors import InputError
from scales_cli.evaluation.artifacts import blockiness, character_errors, flat_error, has_reader
from scales_cli.evaluation.datasets import find_benchmark
from scales_cli.evaluation.degradations import KnownDegradation
from scales_cli.evaluation.drawn import PAGE, SIDE, drawn_pictures
from scales_cli.imaging.files import read_image
from scales_cli.imaging.metrics import chroma_psnr, crop_border, psnr, rgb_to_y, ssim
from scales_cli.imaging.resize import imresize
from scales_cli.imaging.rgb import as_rgb

Pixels = NDArray[np.uint8]


class Enlarged(NamedTuple):
    """RGB [sH, sW, 3], the model that made it, and the strength that the picture shows, if there was need to look."""

    pixels: Pixels
    model: str = ""
    strength: float | None = None


UpscaleFile = Callable[[bytes], Enlarged]  # takes a file's content


@dataclass(frozen=True)
class Quality:
    """Means over pictures: PSNR of luma and chroma in dB, SSIM, and the artifacts of `evaluation.artifacts`.

    `chroma_psnr` is None for grey pictures, `character_errors` without a reader of text or without its page.
    """

    psnr: float
    ssim: float
    chroma_psnr: float | None
    flat_error: float
    blockiness: float
    character_errors: float | None


@dataclass(frozen=True)
class DegradedReport:
    """One degradation: of the model, of bicubic enlargement, and by picture the model's PSNR less bicubic's, in dB.

    `models` are the names of those that enlarged each picture, `strengths` what it showed.
    """

    degradation: KnownDegradation
    model: Quality
    bicubic: Quality
    gains: Mapping[str, float]
    models: Mapping[str, str]
    strengths: Mapping[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which has neither infinity nor what is left of two of them: that becomes null."""
        values = {name: _finite(dataclasses.asdict(getattr(self, name))) for name in ("model", "bicubic")}
        pictures = {"gains": _finite(self.gains), "models": self.models, "strengths": self.strengths}
        return {"degradation": self.degradation.name, **values, **pictures}


def references(folder: str | os.PathLike[str]) -> dict[str, Pixels]:
    """The middle of each picture in a folder, at most SIDE pixels a side, and the drawn pictures, by name.

    A second one of a name has its extension, too.
    """
    found, drawn = dict[str, Pixels](), drawn_pictures()
    for pair in find_benchmark(folder, 1):
        hr, _ = pair.load(1)
        height, width = (min(side // 12 * 12, SIDE) for side in hr.shape[:2])
        if min(height, width) < SIDE // 4:
            raise InputError(f"{pair.hr}: too small to be degraded and judged", "use larger HR pictures")
        top, left = (hr.shape[0] - height) // 2, (hr.shape[1] - width) // 2
        name = pair.hr.name if pair.name in found or pair.name in drawn else pair.name
        found[name] = np.ascontiguousarray(hr[top : top + height, left : left + width])
    return found | drawn


def evaluate_degraded(
    upscale: UpscaleFile,
    pictures: Mapping[str, Pixels],
    degradations: Sequence[KnownDegradation],
    scale: int,
    *,
    progress: Callable[[float], None] | None = None,
) -> Iterator[DegradedReport]:
    """Scores what `upscale` makes of every picture, one report a degradation."""
    clean_of = KnownDegradation("clean")
    clean = {name: upscale(clean_of.file(name, hr, scale)).pixels for name, hr in pictures.items()}
    untouched = {
        name: np.asarray(imresize(np.asarray(imresize(hr, 1 / scale), np.uint8), scale), np.uint8)
        for name, hr in pictures.items()
    }
    for index, degradation in enumerate(degradations):
        rows, plain, gains, models, strengths = [], [], {}, {}, {}
        for name, hr in pictures.items():
            file = degradation.file(name, hr, scale)
            small = np.asarray(read_image(file).pixels, np.uint8)
            bicubic = np.asarray(imresize(as_rgb(small), scale), np.uint8)
            large, models[name], strengths[name] = upscale(file)
            rows.append(_quality(name, hr, large, clean[name], scale))
            plain.append(_quality(name, hr, bicubic, untouched[name], scale))
            gains[name] = rows[-1].psnr - plain[-1].psnr
        if progress is not None:
            progress((index + 1) / len(degradations))
        yield DegradedReport(degradation, _mean(rows), _mean(plain), gains, models, strengths)


def _quality(name: str, hr: Pixels, sr: Pixels, clean: Pixels, scale: int) -> Quality:
    truth, luma = (crop_border(rgb_to_y(picture), scale) for picture in (hr, sr))
    reads = name == "drawn-document" and has_reader()
    return Quality(
        psnr=psnr(truth, luma),
        ssim=ssim(truth, luma),
        chroma_psnr=chroma_psnr(hr, sr, scale) if np.ptp(hr, axis=2).any() else None,
        flat_error=flat_error(hr, sr, clean),
        blockiness=blockiness(sr, scale),
        character_errors=character_errors(sr, PAGE) if reads else None,
    )


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: value if value is not None and math.isfinite(value) else None for name, value in values.items()}


def _mean(rows: Sequence[Quality]) -> Quality:
    means: dict[str, Any] = {}
    for field in dataclasses.fields(Quality):
        values = [value for row in rows if (value := getattr(row, field.name)) is not None]
        means[field.name] = statistics.fmean(values) if values else None
    return Quality(**means)
