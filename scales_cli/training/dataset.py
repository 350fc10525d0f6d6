"""Pictures for training and validation, held in memory as uint8 planes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scales_cli.errors import InputError
from scales_cli.imaging.encoding import to_8_bit
from scales_cli.imaging.files import read_image
from scales_cli.imaging.formats import FORMATS, READABLE
from scales_cli.imaging.resize import imresize

# HR pixels of a side: validation and teachers see whole tiles, in memory that this bounds. 2, 3 and 4 divide it.
TILE = 1008
HELD_OUT = 16  # pictures kept for validation where no folder of them is given


@dataclass(frozen=True)
class Pair:
    """LR [C, H, W] and HR [C, sH, sW] planes of one picture, uint8."""

    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8]


class PatchDataset:
    """All pictures' planes in two flat buffers on the device, from which random aligned patches are gathered."""

    def __init__(self, pairs: Iterable[Pair], scale: int, patch_size: int, device: torch.device) -> None:
        """Pictures smaller than a patch are left out; raises `InputError` if none is left."""
        pairs = [pair for pair in pairs if min(pair.lr.shape[1:]) >= patch_size]
        if not pairs:
            side = scale * patch_size
            raise InputError(
                f"no picture is at least {side} x {side} pixels", "add larger pictures or use a smaller patch"
            )
        self.scale, self.patch_size = scale, patch_size
        self.lr = torch.cat([torch.from_numpy(pair.lr).flatten(1) for pair in pairs], 1).to(device)
        self.hr = torch.cat([torch.from_numpy(pair.hr).flatten(1) for pair in pairs], 1).to(device)
        self.taught: Tensor | None = None
        self.shapes = torch.tensor([pair.lr.shape[1:] for pair in pairs])
        areas = self.shapes.prod(dim=1)
        self.offsets = areas.cumsum(0) - areas
        self.probabilities = areas.double() / areas.sum()

    def teach(self, enlarge: Callable[[Tensor], Tensor]) -> None:
        """Keeps a teacher's pictures beside the HR ones; `enlarge` maps [1, C, H, W] to [1, C, sH, sW] in [0, 1]."""
        pictures = self.lr.split(self.shapes.prod(dim=1).tolist(), dim=1)
        taught = []
        for picture, shape in zip(pictures, self.shapes.tolist(), strict=True):
            large = enlarge(picture.unflatten(1, shape)[None].float() / 255)
            taught.append((large[0].clamp(0, 1) * 255).round().to(torch.uint8).flatten(1))
        self.taught = torch.cat(taught, 1)

    def draw(self, batch_size: int, generator: torch.Generator) -> Tensor:
        """Where the patches of a batch lie, [B, 7] int64 on the CPU, for `cut`.

        Pictures are drawn by area, patches flipped and turned at random.
        """
        picture = torch.multinomial(self.probabilities, batch_size, replacement=True, generator=generator)
        shape, offset = self.shapes[picture], self.offsets[picture]
        corner = (torch.rand(batch_size, 2, generator=generator) * (shape - self.patch_size + 1)).long()
        turn = torch.rand(batch_size, 3, generator=generator) < 0.5
        return torch.cat([offset[:, None], shape[:, 1:], corner, turn.long()], dim=1)

    def cut(self, places: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """LR [B, C, p, p], HR [B, C, sp, sp] and the teacher's HR, if any, in [0, 1], of `places` on the device."""
        offset, width, corner, turn = places[:, 0], places[:, 1], places[:, 2:4], places[:, 4:].bool()
        s = self.scale
        lr = self._gather(self.lr, offset, corner, width, turn, self.patch_size)
        large = (offset * s * s, corner * s, width * s, turn, self.patch_size * s)
        taught = None if self.taught is None else self._gather(self.taught, *large)
        return lr, self._gather(self.hr, *large), taught

    @staticmethod
    def _gather(planes: Tensor, offset: Tensor, corner: Tensor, width: Tensor, turn: Tensor, size: int) -> Tensor:
        """Patches [B, C, size, size]; `turn` [B, 3] says transpose, flip rows, flip columns."""
        steps = torch.arange(size, device=planes.device)
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        transpose, flip_rows, flip_columns = (flag[:, None, None] for flag in turn.unbind(1))
        y, x = torch.where(transpose, columns, rows), torch.where(transpose, rows, columns)
        y, x = torch.where(flip_rows, size - 1 - y, y), torch.where(flip_columns, size - 1 - x, x)
        y, x = y + corner[:, :1, None], x + corner[:, 1:, None]
        index = offset[:, None, None] + y * width[:, None, None] + x
        return planes[:, index].movedim(0, 1).float() / 255


def list_pictures(folder: Path) -> list[Path]:
    """Pictures below `folder`, sorted; hidden files are left out. Raises `InputError` if there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", "give a folder of pictures")
    extensions = {extension for item in FORMATS for extension in item.extensions}
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in extensions and path.name[0] != ".")
    if not paths:
        raise InputError(f"{folder}: no pictures in it", f"give a folder of {READABLE}")
    return paths


def split_validation(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Training and validation pictures: every n-th is held out, `HELD_OUT` or a tenth of them."""
    held_out = max(1, min(HELD_OUT, len(paths) // 10))
    chosen = set(paths[:: len(paths) // held_out][:held_out])
    rest = [path for path in paths if path not in chosen]
    return rest or paths, sorted(chosen)


def load_pairs(paths: Iterable[Path], scale: int, colors: int) -> Iterator[Pair]:
    """HR planes from files, LR planes from those by `imresize`; large pictures come in tiles.

    Files that cannot be read, transparent ones (their hidden colours are no pictures) and tiny ones are skipped with a
    warning.
    """
    for path in paths:
        try:
            pixels = read_image(path).pixels
        except InputError as error:
            warnings.warn(f"skipped: {error}", stacklevel=2)
            continue
        height, width, channels = pixels.shape
        if channels in (2, 4) or min(height, width) < 4 * scale:
            reason = "transparent" if channels in (2, 4) else f"only {width} x {height} pixels"
            warnings.warn(f"skipped: {path} is {reason}", stacklevel=2)
            continue
        planes = to_planes(to_8_bit(pixels) if pixels.dtype == np.uint16 else pixels, colors)
        for top in range(0, max(height - 4 * scale, 1), TILE):
            for left in range(0, max(width - 4 * scale, 1), TILE):
                tile = planes[:, top : top + TILE, left : left + TILE]
                hr = tile[:, : tile.shape[1] // scale * scale, : tile.shape[2] // scale * scale]
                lr = np.stack([imresize(plane, 1 / scale) for plane in hr])
                yield Pair(lr.astype(np.uint8), np.ascontiguousarray(hr))


def to_planes(pixels: NDArray[np.uint8], colors: int) -> NDArray[np.uint8]:
    """Grey or RGB [H, W, 1 or 3] -> full-range BT.601 luma [1, H, W], rounded, or RGB planes [3, H, W]."""
    rgb = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    if colors == 3:
        return np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    return np.floor(luma + 0.5).astype(np.uint8)[None]
