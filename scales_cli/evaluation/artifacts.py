"""What PSNR hardly sees: noise passed on in flat areas, steps between JPEG blocks, letters that cannot be read."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scales_cli.imaging.metrics import rgb_to_y

FLAT_SHARE = 0.15  # of the pixels, those with the smallest local deviation in the true picture
WINDOW = 9  # pixels of a side, over which the deviation is taken
BLOCK = 8

Pixels = NDArray[np.uint8]


def flat_error(hr: Pixels, degraded: Pixels, clean: Pixels) -> float:
    """Rms difference in luma between the results of a degraded and of the clean picture where `hr` is flattest."""
    import cv2

    luma = rgb_to_y(hr)
    mean = cv2.blur(luma, (WINDOW, WINDOW))
    variance = cv2.blur(luma * luma, (WINDOW, WINDOW)) - mean * mean
    flat = variance <= np.quantile(variance, FLAT_SHARE)
    error = (rgb_to_y(degraded) - rgb_to_y(clean))[flat]
    return float(np.sqrt(np.mean(error * error)))


def blockiness(sr: Pixels, scale: int) -> float:
    """Mean step in luma across the edges of the enlarged 8 x 8 blocks over that within them; 1 for no blocks.

    An edge is as wide as the scale, for enlarging spreads it. The grid begins at the picture's corner.
    """
    luma, period = rgb_to_y(sr), BLOCK * scale
    ratios = []
    for plane in (luma, luma.T):
        steps = np.abs(np.diff(plane, axis=1)).mean(axis=0)
        phase = (np.arange(len(steps)) + 1 - period + scale // 2) % period
        edges = phase < scale
        ratios.append(steps[edges].mean() / max(steps[~edges].mean(), 1e-6))
    return float(np.mean(ratios))


def has_reader() -> bool:
    return shutil.which("tesseract") is not None


def character_errors(sr: Pixels, lines: Sequence[str]) -> float | None:
    """Insertions, deletions and replacements from the page's text to what `tesseract` reads, per character.

    None if it cannot read English.
    """
    stream = io.BytesIO()
    Image.fromarray(sr).save(stream, "PNG")
    command = ["tesseract", "stdin", "stdout", "--psm", "6", "-l", "eng"]
    read = subprocess.run(command, input=stream.getvalue(), capture_output=True, check=False)
    if read.returncode:
        return None
    text, found = " ".join(lines), " ".join(read.stdout.decode(errors="replace").split())
    return _distance(text, found) / len(text)


def _distance(first: str, second: str) -> int:
    """Levenshtein's."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
