"""The reference engine: a network in torch, on any of its devices."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import Planes, PlaneSource, Residual
from scales_cli.engine.tiling import Tiling
from scales_cli.networks.base import Network
from scales_cli.system.progress import Progress


class ReferenceEngine:
    """Runs a network in float32; unpacked, the same residual as `NativeEngine`'s up to rounding at thresholds."""

    def __init__(self, network: Network, device: str = "cpu") -> None:
        self.spec: NetworkSpec = network.spec
        self.device = torch.device(device)
        self.network = network.requires_grad_(False).eval()
        self.network.to(self.device, memory_format=torch.channels_last)

    def plan(
        self, height: int, width: int, *, budget: int, pixel_bytes: int, tile: int | None = None
    ) -> tuple[Tiling | None, int]:
        """Pictures are passed as a whole, in whatever memory torch takes."""
        return None, 0

    def residual_rows(
        self, source: PlaneSource, *, tiling: Tiling | None = None, progress: Progress | None = None
    ) -> Iterator[Residual]:
        """All rows in one piece, whatever the tiling."""
        yield self.residuals(source.read(0, source.height, 0, source.width))
        if progress is not None:
            progress(1.0)

    def residual(self, planes: Planes) -> Planes:
        """[inputs, H, W] in [0, 1] -> what is to be added to the bicubic planes, [colors, sH, sW]."""
        return self.residuals(planes).planes

    def residuals(self, planes: Planes) -> Residual:
        """`residual` and, if the network gives it, that of the LR chroma."""
        with torch.inference_mode():
            results = self.network.residuals(torch.from_numpy(planes)[None].to(self.device))
        large, chroma = (None if result is None else result[0].cpu().contiguous().numpy() for result in results)
        assert large is not None
        return Residual(large, chroma)
