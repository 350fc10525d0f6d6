"""Benchmark sets: folders of HR pictures, with or without the LR pictures made of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scales_cli.arguments import check_kinds, check_whole
from scales_cli.errors import InputError, UsageError
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import is_picture_name
from scales_cli.imaging.resize import imresize
from scales_cli.imaging.rgb import as_rgb

_PUBLISHED = ("Set5", "Set14", "B100", "BSD100", "BSDS100", "Urban100", "Manga109", "DIV2K_valid_HR")
_MOST_SCALE = 4  # of networks
_PICTURES = {
    "Set5": "baby bird butterfly head woman",
    "Set14": "baboon barbara bridge coastguard comic face flowers foreman lenna man monarch pepper ppt3 zebra",
}


@dataclass(frozen=True)
class ImagePair:
    """A test picture: its HR file and, if the set brings one, its LR file."""

    name: str
    hr: Path
    lr: Path | None

    def load(self, scale: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """HR [sh, sw, 3], cropped at the right and bottom to a multiple of the scale, and LR [h, w, 3]."""
        hr = _read_rgb(self.hr)
        height, width = hr.shape[0] // scale, hr.shape[1] // scale
        # Scores need an 11 x 11 window inside the border of `scale` pixels.
        if min(height, width) * scale - 2 * scale < 11:
            raise InputError(f"{self.hr}: {hr.shape[1]} x {hr.shape[0]} pixels are too few", "use larger HR pictures")
        hr = hr[: height * scale, : width * scale]
        if self.lr is None:
            return hr, np.asarray(imresize(hr, 1 / scale, (height, width)), np.uint8)
        lr = _read_rgb(self.lr)
        if lr.shape != (height, width, 3):
            raise InputError(
                f"{self.lr}: {lr.shape[1]} x {lr.shape[0]} pixels, expected {width} x {height}",
                f"it must be the HR picture shrunk by {scale}",
            )
        return hr, lr


@dataclass(frozen=True)
class Benchmark:
    """A named set of test pictures for one scale."""

    name: str
    scale: int
    pairs: tuple[ImagePair, ...]

    def __iter__(self) -> Iterator[ImagePair]:
        return iter(self.pairs)


def find_benchmark(folder: str | os.PathLike[str], scale: int) -> Benchmark:
    """The set in a folder: HR/ with LRbicx<scale>/ beside it, or HR pictures directly."""
    check_kinds(folder=folder)
    check_whole("scale", scale, 1, _MOST_SCALE, required=True)
    root = Path(folder)
    hr_folder = root / "HR" if (root / "HR").is_dir() else root
    lr_folder = root / f"LRbicx{scale}"
    has_lr = hr_folder is not root and lr_folder.is_dir()
    pairs = []
    for hr in _pictures(hr_folder):
        lr = lr_folder / hr.name if has_lr else None
        if lr is not None and not lr.is_file():
            raise InputError(f"{hr} has no counterpart {lr}", f"add it or remove {lr_folder}")
        pairs.append(ImagePair(hr.stem, hr, lr))
    if not pairs:
        raise InputError(
            f"{hr_folder}: no pictures in this folder", "give a folder of HR pictures, or one that holds HR/"
        )
    return Benchmark(root.resolve().name, scale, tuple(pairs))


def find_benchmarks(folders: Iterable[str | os.PathLike[str]], scale: int) -> list[Benchmark]:
    """Sets whose scores are kept by their names. Raises `UsageError` if two have the same."""
    found: dict[str, Benchmark] = {}
    for folder in folders:
        benchmark = find_benchmark(folder, scale)
        if benchmark.name in found:
            raise UsageError(f"two folders are called {benchmark.name}", "give sets of different names")
        found[benchmark.name] = benchmark
    return list(found.values())


def recognised(paths: Iterable[Path]) -> set[str]:
    """Published test sets among pictures: by a folder's name, or all the names of Set5's or Set14's pictures."""
    paths = list(paths)
    parts = {part.lower() for path in paths for part in path.parts[:-1]}
    stems = {path.stem.lower() for path in paths}
    return {name for name in _PUBLISHED if name.lower() in parts} | {
        name for name, pictures in _PICTURES.items() if stems.issuperset(pictures.split())
    }


def _pictures(folder: Path) -> list[Path]:
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}", "give a folder of HR pictures") from error
    return [file for file in files if is_picture_name(file)]


def _read_rgb(path: Path) -> NDArray[np.uint8]:
    """An opaque 8-bit picture as RGB; grey is replicated, as the published figures do."""
    pixels = read_image(path).pixels
    if pixels.dtype != np.uint8 or pixels.shape[2] in (2, 4):
        raise InputError(
            f"{path}: has 16 bits a channel or transparency", "scores are defined for opaque 8-bit pictures"
        )
    return np.ascontiguousarray(as_rgb(pixels), np.uint8)
