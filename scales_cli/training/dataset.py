"""Patches for training, cut from pictures that are held in memory as uint8 planes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scales_cli.errors import InputError
from scales_cli.training.planes import Planes


@dataclass(frozen=True)
class Pair:
    """One picture: V versions of its LR planes [V, C, H, W] with their strengths, and its HR planes [C', sH, sW].

    `chroma` [2, H, W] is what the LR chroma should have been, `taught` [C', sH, sW] what a teacher makes of it.
    """

    lr: Planes
    hr: Planes
    strengths: tuple[float, ...] = (0.0,)
    chroma: Planes | None = None
    taught: Planes | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """LR height and width."""
        return self.lr.shape[2], self.lr.shape[3]


class Batch(NamedTuple):
    """Patches in [0, 1]: LR [B, inputs, p, p], HR [B, C', sp, sp], and what there is of LR chroma and teaching."""

    lr: Tensor
    hr: Tensor
    chroma: Tensor | None
    taught: Tensor | None


class PatchDataset:
    """All pictures' planes in flat buffers on the device, from which random aligned patches are gathered."""

    def __init__(
        self, pairs: Iterable[Pair], scale: int, patch_size: int, device: torch.device, *, strength: bool = False
    ) -> None:
        """Pictures smaller than a patch are left out; raises `InputError` if none is left.

        With `strength`, patches have one more plane, which holds it.
        """
        pairs = [pair for pair in pairs if min(pair.shape) >= patch_size]
        if not pairs:
            side = scale * patch_size
            raise InputError(
                f"no picture is at least {side} x {side} pixels", "add larger pictures or use a smaller patch"
            )
        self.scale, self.patch_size = scale, patch_size
        self.versions = len(pairs[0].strengths)
        # Versions are one after another: version v of a pixel lies v times all pictures' pixels after it.
        flat = [torch.from_numpy(pair.lr).movedim(1, 0).flatten(2) for pair in pairs]
        self.lr = torch.cat(flat, 2).flatten(1).to(device)
        self.hr = torch.cat([torch.from_numpy(pair.hr).flatten(1) for pair in pairs], 1).to(device)
        self.chroma = _flat((pair.chroma for pair in pairs if pair.chroma is not None), device)
        self.taught = _flat((pair.taught for pair in pairs if pair.taught is not None), device)
        self.strengths = torch.tensor([pair.strengths for pair in pairs]).to(device) if strength else None
        self.shapes = torch.tensor([pair.shape for pair in pairs])
        areas = self.shapes.prod(dim=1)
        self.offsets = areas.cumsum(0) - areas
        self.pixels = int(areas.sum())
        self.probabilities = areas.double() / areas.sum()

    def teach(self, enlarge: Callable[[Tensor], Tensor]) -> None:
        """Keeps a teacher's pictures beside the HR ones; `enlarge` maps [1, C, H, W] to [1, C, sH, sW] in [0, 1].

        The teacher sees the first version of each picture.
        """
        pictures = self.lr[:, : self.pixels].split(self.shapes.prod(dim=1).tolist(), dim=1)
        taught = []
        for picture, shape in zip(pictures, self.shapes.tolist(), strict=True):
            large = enlarge(picture.unflatten(1, shape)[None].float() / 255)
            taught.append((large[0].clamp(0, 1) * 255).round().to(torch.uint8).flatten(1))
        self.taught = torch.cat(taught, 1)

    def draw(self, batch_size: int, generator: torch.Generator) -> Tensor:
        """Where the patches of a batch lie, [B, 9] int64 on the CPU, for `cut`.

        Pictures are drawn by area, versions evenly, patches flipped and turned at random.
        """
        picture = torch.multinomial(self.probabilities, batch_size, replacement=True, generator=generator)
        shape, offset = self.shapes[picture], self.offsets[picture]
        corner = (torch.rand(batch_size, 2, generator=generator) * (shape - self.patch_size + 1)).long()
        turn = torch.rand(batch_size, 3, generator=generator) < 0.5
        version = torch.zeros(batch_size, dtype=torch.int64)
        if self.versions > 1:
            version = torch.randint(self.versions, (batch_size,), generator=generator)
        places = [offset[:, None], shape[:, 1:], corner, turn.long(), picture[:, None], version[:, None]]
        return torch.cat(places, dim=1)

    def cut(self, places: Tensor) -> Batch:
        """The patches at `places`, which are on the device."""
        offset, width, corner, turn = places[:, 0], places[:, 1], places[:, 2:4], places[:, 4:7].bool()
        picture, version = places[:, 7], places[:, 8]
        s, size = self.scale, self.patch_size
        lr = self._gather(self.lr, offset + version * self.pixels, corner, width, turn, size)
        if self.strengths is not None:
            plane = self.strengths[picture, version].view(-1, 1, 1, 1)
            lr = torch.cat([lr, plane.expand(-1, 1, size, size)], 1)
        large = (offset * s * s, corner * s, width * s, turn, size * s)
        chroma = None if self.chroma is None else self._gather(self.chroma, offset, corner, width, turn, size)
        taught = None if self.taught is None else self._gather(self.taught, *large)
        return Batch(lr, self._gather(self.hr, *large), chroma, taught)

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


def _flat(planes: Iterable[Planes], device: torch.device) -> Tensor | None:
    """Planes [C, H, W] of several pictures as one [C, N]; None if there are none."""
    flat = [torch.from_numpy(plane).flatten(1) for plane in planes]
    return torch.cat(flat, 1).to(device) if flat else None
