"""Folders of pictures as pairs of LR and HR planes, for training and validation."""

from __future__ import annotations

import hashlib
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import InputError, MemoryLimitError
from scales_cli.imaging.encoding import to_8_bit
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import READABLE, is_picture_name
from scales_cli.imaging.resize import imresize
from scales_cli.imaging.rgb import as_rgb
from scales_cli.training.config import Degradation
from scales_cli.training.dataset import Pair
from scales_cli.training.degradation import variants
from scales_cli.training.drawings import TILE as DRAWN_TILE
from scales_cli.training.drawings import draw_tiles
from scales_cli.training.planes import Planes, reduced_chroma, to_luma, to_planes

WHOLE = 12  # which 2, 3 and 4 divide
TILE = 84 * WHOLE  # HR pixels of a side: validation and teachers see whole tiles, in memory that this bounds
HELD_OUT = 16  # pictures kept for validation where no folder of them is given


def list_pictures(folder: Path) -> list[Path]:
    """Pictures below `folder`, sorted; hidden files and folders are left out. Raises `InputError` if there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "give a folder of pictures")
    paths = sorted(path for path in folder.rglob("*") if is_picture_name(path) and not _is_hidden(path, folder))
    if not paths:
        raise InputError(f"{folder}: no pictures in it", f"give a folder of {READABLE}")
    return paths


def fingerprint(*folders: Path) -> str:
    """What sets the pictures below these folders apart from others: a hash of their files' names and sizes."""
    lists = [
        [f"{path.relative_to(folder)}\0{path.stat().st_size}" for path in list_pictures(folder)] for folder in folders
    ]
    text = "\n\n".join("\n".join(files) for files in lists)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def split_validation(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Training and validation pictures: every n-th is held out, `HELD_OUT` or a tenth of them."""
    held_out = max(1, min(HELD_OUT, len(paths) // 10))
    chosen = set(paths[:: len(paths) // held_out][:held_out])
    rest = [path for path in paths if path not in chosen]
    return rest or paths, sorted(chosen)


def without(paths: list[Path], held_out: list[Path]) -> tuple[list[Path], list[Path]]:
    """Training pictures that validate nothing, and those that do. Raises `InputError` if none is left to train on."""
    validating = {path.resolve() for path in held_out}
    rest = [path for path in paths if path.resolve() not in validating]
    if not rest:
        raise InputError("all pictures to train on are to validate, too", "give --valid another folder")
    if left_out := len(paths) - len(rest):
        warnings.warn(f"{left_out} pictures of --valid lie in --data: nothing is trained on them", stacklevel=3)
    return rest, held_out


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether a folder between the two is hidden, as those of thumbnails are."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts[:-1])


class _UnusableError(Exception):
    """Why a picture is not used."""


class PairLoader:
    """Makes pairs for networks of `spec`: LR pictures are bicubic reductions, beside degraded ones if there are ranges.

    `teacher` is a folder of pictures of the same names, as large as the HR ones (up to what the scale does not divide),
    whose luma another network has drawn. `least` is the LR side below which a picture is too small.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        degradation: Degradation | None = None,
        *,
        seed: int = 0,
        teacher: Path | None = None,
        least: int = 4,
    ) -> None:
        if teacher is not None and spec.colors != 1:
            raise InputError(f"{teacher}: a teacher's pictures are luma, this network's are not", "train one of luma")
        self.spec, self.degradation, self.least = spec, degradation, least
        self.seed = seed % 2**64  # numpy takes none that is negative, as torch does
        self.teacher = None if teacher is None else _by_name(list_pictures(teacher))

    def load(self, paths: Iterable[Path]) -> Iterator[Pair]:
        """Pairs of the pictures in files; large ones come in tiles.

        Files that cannot be read, as such or as the teacher's, transparent ones (their hidden colours are no pictures)
        and tiny ones are skipped with a warning. Raises `InputError` if the teacher has no picture of one.
        """
        paths = list(paths)
        if self.teacher is not None:
            _by_name(paths)
        for index, path in enumerate(paths):
            try:
                rgb = self._read(path)
                taught = None if self.teacher is None else self._taught(path, rgb)
            except _UnusableError as reason:
                warnings.warn(f"skipped: {reason}", stacklevel=2)
                continue
            rows, columns = (self._cuts(side) for side in rgb.shape[:2])
            for window in itertools.product(rows, columns):
                key = (index, *(part.start for part in window))
                yield self._pair(rgb[window], None if taught is None else taught[window], key)

    def draw(self, pixels: int) -> Iterator[Pair]:
        """Pairs of drawn tiles beside `pixels` HR pixels of pictures, as many as the ranges ask for."""
        share = self.degradation.drawn if self.degradation else 0.0
        count = round(share / (1 - share) * pixels / DRAWN_TILE**2)
        for index, rgb in enumerate(draw_tiles(count, self.seed)):
            # The last number sets these apart from tiles of files and from what drew them.
            yield self._pair(rgb, None if self.teacher is None else to_luma(rgb), (index, 0, 0, 1))

    def _read(self, path: Path) -> Planes:
        """A picture that can be used. Raises `_UnusableError` for another."""
        rgb = _read_rgb(path)
        height, width = rgb.shape[:2]
        if min(height, width) < self.least * self.spec.scale:
            raise _UnusableError(f"{path} is only {width} x {height} pixels")
        return rgb

    def _cuts(self, length: int) -> list[slice]:
        """A side in parts that a tile holds, about as long as each other: patches would not fit into what is left over,
        and it would count like a whole picture in validation. Less than 4 LR pixels of it are left out.
        """
        scale = self.spec.scale
        count = max(1, min(math.ceil((length - 4 * scale) / TILE), length // (self.least * scale)))
        side = min(TILE, math.ceil(length / count / WHOLE) * WHOLE)
        return [slice(start, start + side) for start in range(0, count * side, side)]

    def _taught(self, path: Path, rgb: Planes) -> Planes:
        assert self.teacher is not None
        found = self.teacher.get(path.stem)
        if found is None:
            raise InputError(f"the teacher has no picture of {path.name}", "give pictures of the same names")
        taught = _read_rgb(found)
        scale = self.spec.scale
        if [side // scale for side in taught.shape[:2]] != [side // scale for side in rgb.shape[:2]]:
            raise InputError(f"{found}: it is not as large as {path.name}", "give pictures of the same size")
        return to_luma(taught)

    def _pair(self, rgb: Planes, taught: Planes | None, key: tuple[int, ...]) -> Pair:
        scale = self.spec.scale
        height, width = rgb.shape[0] // scale * scale, rgb.shape[1] // scale * scale
        rgb = np.ascontiguousarray(rgb[:height, :width])
        if self.degradation is None:
            versions = [(np.asarray(imresize(rgb, 1 / scale), np.uint8), 0.0)]
        else:
            versions = list(variants(rgb, scale, self.degradation, (self.seed, *key)))
        hr = to_planes(rgb, "rgb") if self.spec.colors == 3 else to_luma(rgb)[None]
        return Pair(
            lr=np.stack([to_planes(lr, self.spec.planes) for lr, _ in versions]),
            hr=hr,
            strengths=tuple(strength for _, strength in versions),
            chroma=reduced_chroma(rgb, scale) if self.spec.has_chroma else None,
            taught=None if taught is None else np.ascontiguousarray(taught[None, :height, :width]),
        )


def _read_rgb(path: Path) -> Planes:
    try:
        pixels = read_image(path).pixels
    except (InputError, MemoryLimitError) as error:
        raise _UnusableError(str(error)) from error
    if pixels.shape[2] in (2, 4):
        raise _UnusableError(f"{path} is transparent")
    return as_rgb(to_8_bit(pixels) if pixels.dtype == np.uint16 else pixels)


def _by_name(paths: Iterable[Path]) -> dict[str, Path]:
    """Pictures by their names without extensions, by which a teacher's are found. Two of one are an `InputError`."""
    found: dict[str, Path] = {}
    for path in paths:
        if path.stem in found:
            raise InputError(f"{found[path.stem]} and {path} have one name", "a teacher's pictures are found by names")
        found[path.stem] = path
    return found
