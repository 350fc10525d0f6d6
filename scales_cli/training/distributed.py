"""Several processes that train one network, each on its share of every batch, as `torchrun` starts them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Processes:
    """This process's place among `count`. The first one leads: it alone validates, saves and reports.

    All build the same network and draw the same batches, of which each takes its share, so that a run depends on their
    number by rounding only (and where a network has BatchNorm, by the pictures its statistics are of).
    """

    rank: int = 0
    count: int = 1

    @property
    def lead(self) -> bool:
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """Every `count`-th of a batch's pictures."""
        return batch[self.rank :: self.count]

    def average_gradients(self, network: nn.Module) -> None:
        """Makes every gradient the mean over the processes.

        By one transfer: a 1-bit network has few parameters, and `DistributedDataParallel` cannot send weights of one
        channel in channels_last (torch 2.13).
        """
        if self.count == 1:
            return
        gradients = [value.grad for value in network.parameters() if value.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        parts = flat.div_(self.count).split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def join_maxima(self, values: Tensor) -> None:
        """Makes each number the largest over the processes."""
        if self.count > 1:
            distributed.all_reduce(values, distributed.ReduceOp.MAX)

    def any(self, *flags: bool) -> list[bool]:
        """Whether each flag is set in one of the processes."""
        return [value > 0 for value in self._reduced([float(flag) for flag in flags], distributed.ReduceOp.MAX)]

    def mean(self, value: float) -> float:
        (total,) = self._reduced([value], distributed.ReduceOp.SUM)
        return total / self.count

    def _reduced(self, values: list[float], operation: distributed.ReduceOp.RedOpType) -> list[float]:
        """Each number over the processes."""
        if self.count == 1:
            return values
        joined = torch.tensor(values)
        distributed.all_reduce(joined, operation)
        return joined.tolist()


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """This process among those that `torchrun` started, for as long as the block lasts; one alone otherwise.

    Each takes a GPU of its own where there are any. Only the leading one warns.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield ALONE
        return
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(backend)
    processes = Processes(distributed.get_rank(), distributed.get_world_size())
    try:
        with warnings.catch_warnings():
            if not processes.lead:
                warnings.simplefilter("ignore")
            yield processes
    finally:
        distributed.destroy_process_group()
