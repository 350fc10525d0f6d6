"""One update of a network from a batch: on a GPU the whole of it is one CUDA graph."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from scales_cli.errors import UsageError
from scales_cli.layers.int8_conv import Int8Conv2d
from scales_cli.layers.rescaling import LayerwiseScalingFactor
from scales_cli.networks.base import Network
from scales_cli.training.config import TrainConfig
from scales_cli.training.dataset import Batch, PatchDataset
from scales_cli.training.distributed import Processes

LossFunction = Callable[[Batch], tuple[Tensor, Tensor]]

WARM_UP = 3  # updates before the capture, in which torch compiles and allocates what lasts


class Update:
    """Patches, L1, gradients clipped by their norm, Adam.

    The kernels of a 1-bit network on small patches take microseconds, less than to launch them: on a GPU the update is
    captured once and replayed from then on.
    """

    def __init__(
        self, network: Network, dataset: PatchDataset, config: TrainConfig, processes: Processes, *, compiled: bool
    ) -> None:
        self.network, self.dataset, self.config, self.processes = network, dataset, config, processes
        self.device = dataset.lr.device
        on_gpu = self.device.type == "cuda"
        self.loss_function: LossFunction = self._loss
        if compiled:
            torch.compiler.reset()  # of earlier runs in this process: it compiles only so many versions of a function
            self.loss_function = torch.compile(self._loss, dynamic=False)
        self.untried = compiled
        self.optimizer = torch.optim.Adam(self._parameter_groups(), fused=True, capturable=on_gpu)
        for group in self.optimizer.param_groups:
            group["lr"] = torch.tensor(0.0, device=self.device)
        self.rounding = [module for module in network.modules() if isinstance(module, Int8Conv2d)]
        self.thresholds = [module for module in network.modules() if isinstance(module, LayerwiseScalingFactor)]
        if config.sign_sharpness != 1 and not self.thresholds:
            raise UsageError("sign_sharpness is for layers of SCALES, of which this network has none", "leave it at 1")
        self.places = torch.zeros(config.batch_size, 9, dtype=torch.int64, device=self.device)
        self.distillation = torch.tensor(config.distillation, device=self.device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.stream = torch.cuda.Stream(self.device) if on_gpu and processes.count == 1 else None
        self.until_capture = WARM_UP

    def __call__(self, places: Tensor, learning_rate: float, distillation: float, sharpness: float) -> Tensor:
        """The mean distance to the truth on the patches at `places`, not finite if the gradient was not.

        `distillation` is the weight of the distance to the teacher's picture, `sharpness` that of sign's gradient.
        """
        for threshold in self.thresholds:
            threshold.sharpness.fill_(sharpness)
        self.distillation.fill_(distillation)
        for group in self.optimizer.param_groups:
            group["lr"].fill_(learning_rate * group["rate"])
        places = places.pin_memory() if self.device.type == "cuda" else places
        self.places.copy_(places, non_blocking=True)  # a copy that blocked would wait for the update before
        if self.stream is None:
            return self._run()
        if self.graph is None:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                loss = self._run() if self.until_capture else self._capture()
            torch.cuda.current_stream().wait_stream(self.stream)
            self.until_capture = max(0, self.until_capture - 1)
            return loss
        self.graph.replay()
        return self.captured_loss.clone()

    def _capture(self) -> Tensor:
        """Records the update, which runs nothing yet, and runs it; or goes on without where this machine cannot."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                self.captured_loss = self._run()
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            warnings.warn(f"training runs without a CUDA graph, slower: {reason}", stacklevel=2)
            self.stream = None
            return self._run()
        self.graph = graph
        graph.replay()
        return self.captured_loss.clone()

    def _run(self) -> Tensor:
        loss = self._differentiate_first() if self.untried else self._differentiate()
        self.processes.average_gradients(self.network)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimizer.step()
        for layer in self.rounding:
            self.processes.join_maxima(layer.reached)
            layer.follow()
        return loss + 0 * norm.detach()  # an infinite gradient's update ruins the weights, whatever the loss was

    def _differentiate_first(self) -> Tensor:
        """Finds out whether this machine can compile; a C++ compiler may be missing, for one."""
        self.untried = False
        try:
            return self._differentiate()
        except Exception as error:  # torch raises many kinds, some of them only when the gradient is compiled
            reason = str(error).strip().partition("\n")[0]
            warnings.warn(f"training runs uncompiled, slower: {reason}", stacklevel=2)
            self.loss_function = self._loss
            return self._differentiate()

    def _differentiate(self) -> Tensor:
        """Sets the gradients on this process's patches, and returns their mean distance to the truth."""
        batch = self.dataset.cut(self.processes.share(self.places))
        lr = batch.lr.contiguous(memory_format=torch.channels_last)
        loss, objective = self.loss_function(batch._replace(lr=lr))
        self.optimizer.zero_grad(set_to_none=True)
        objective.backward()
        return loss

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The distance to the truth, and the objective."""
        sr, chroma = self.network.predict(batch.lr)
        objective = loss = functional.l1_loss(sr, batch.hr)
        if batch.taught is not None:
            objective = objective + self.distillation * functional.l1_loss(sr, batch.taught)
        if chroma is not None and batch.chroma is not None:
            objective = objective + self.config.chroma_weight * functional.l1_loss(chroma, batch.chroma)
        if self.config.gradient_weight:
            steps = sum(functional.l1_loss(sr.diff(dim=axis), batch.hr.diff(dim=axis)) for axis in (2, 3))
            objective = objective + self.config.gradient_weight * steps
        return loss.detach(), objective

    def _parameter_groups(self) -> list[dict[str, object]]:
        """Learned weight scales apart: deep bodies diverge at the start where these are as fast as the rest."""
        scales = [value for name, value in self.network.named_parameters() if name.endswith(".scale")]
        rest = [value for name, value in self.network.named_parameters() if not name.endswith(".scale")]
        groups: list[dict[str, object]] = [{"params": rest, "rate": 1.0}]
        return [*groups, {"params": scales, "rate": self.config.weight_scale_rate}] if scales else groups
