"""A convolution in whole numbers of 8 bits: the tail of networks that the native engine runs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.backbones.spec import LARGEST_TAIL_INPUT, LARGEST_TAIL_WEIGHT


class Int8Conv2d(nn.Conv2d):
    """bias + s (W_q * q), where q = clamp(round(g x), -127, 127) and W_q = round(W / (g s)).

    g, the `gain` of each input channel, is 127 / peak; the peak is the largest |x| that is kept. s, of each output
    channel, is max |W / g| / 64. Both roundings take halves to the even number and let gradients through; the clamp
    stops those of what it cuts. Whole numbers are float32 here, in which their sums are exact up to 2^24.

    In training the peak is the largest that batches reach, slowly forgotten: `forward` notes what a batch reaches, and
    `follow`, to be called after the update, moves the peak. An average would cut what only few pictures reach: drawn
    ones lost 0.5 dB.
    """

    START = 4.0  # peak of features before any are seen
    LEAST_PEAK = 1e-3
    LEAST_SCALE = 1e-12
    FORGETTING = 1e-3  # share of the way to a smaller peak, per batch

    gain: Tensor
    reached: Tensor

    def __init__(self, n_feats: int, out_feats: int, kernel_size: int = 3) -> None:
        super().__init__(n_feats, out_feats, kernel_size, padding=kernel_size // 2)
        self.register_buffer("gain", torch.full((n_feats,), LARGEST_TAIL_INPUT / self.START))
        self.register_buffer("reached", torch.full((n_feats,), self.START), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.reached.copy_(peaks(x))
        scaled = (x * self.gain.view(-1, 1, 1)).clamp(-LARGEST_TAIL_INPUT, LARGEST_TAIL_INPUT)
        weight, scale = self.rounded()
        assert self.bias is not None
        sums = functional.conv2d(ste_round(scaled), weight, padding=self.padding)
        return sums * scale.view(-1, 1, 1) + self.bias.view(-1, 1, 1)

    def rounded(self) -> tuple[Tensor, Tensor]:
        """W_q [O, F, k, k], whole numbers from -64 to 64, and s [O]."""
        weight = self.weight / self.gain.view(1, -1, 1, 1)
        largest = weight.detach().abs().amax(dim=(1, 2, 3))
        scale = (largest / LARGEST_TAIL_WEIGHT).clamp(min=self.LEAST_SCALE)
        return ste_round(weight / scale.view(-1, 1, 1, 1)), scale

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Sets the peaks to those of `x`."""
        self._set_peak(peaks(x))

    @torch.no_grad()
    def follow(self) -> None:
        """Raises the peaks to what the last batch reached, or lowers them by a thousandth of the way to it."""
        lowered = (LARGEST_TAIL_INPUT / self.gain).lerp(self.reached, self.FORGETTING)
        self._set_peak(torch.maximum(self.reached, lowered))

    def _set_peak(self, peak: Tensor) -> None:
        self.gain.copy_(LARGEST_TAIL_INPUT / peak.clamp(min=self.LEAST_PEAK))


def ste_round(x: Tensor) -> Tensor:
    """round(x) forwards; backwards the identity."""
    return x.round() + (x - x.detach())


def peaks(x: Tensor) -> Tensor:
    """max |x| of each channel of [B, C, H, W], without a gradient."""
    return x.detach().abs().amax(dim=(0, 2, 3))
