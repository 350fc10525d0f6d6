"""Full-precision networks in torch, and their export for the other runtimes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.contenders.base import Runner, Task
from scales_cli.bench.contenders.espcn import espcn
from scales_cli.bench.contenders.fsrcnn import fsrcnn
from scales_cli.bench.contenders.plain import PLAIN_SHAPES, PlainName, plain_network

NetworkName = Literal["twin", "fsrcnn", "espcn", PlainName]


def build(name: NetworkName, spec: NetworkSpec) -> Any:
    """A module with seeded random weights, [1, C, H, W] -> [1, C', sH, sW], of the planes of `planes_of`.

    The twin is the network of `spec` with every binary layer in full precision; a convolution, with PReLU and skip.
    """
    import torch

    torch.manual_seed(0)
    if name == "twin":
        from scales_cli.networks.build import build_network

        network: Any = build_network(spec.full_precision())
        network.forward = network.residual
    elif name == "ecbsr-m4c32" or name == "ecbsr-m6c40":
        network = plain_network(name, spec.scale)
    else:
        network = {"fsrcnn": fsrcnn, "espcn": espcn}[name](spec.scale)
    return network.eval().requires_grad_(False)


def planes_of(name: str, spec: NetworkSpec) -> int:
    """How many planes a network sees: a twin those of `spec`, plain ones RGB, the others luma."""
    return spec.inputs if name == "twin" else 3 if name in PLAIN_SHAPES else 1


def export(name: NetworkName, spec: NetworkSpec, path: Path) -> None:
    """Writes the network as ONNX, for pictures of any size."""
    import torch

    with warnings.catch_warnings():  # the exporter that needs no further package is deprecated
        warnings.simplefilter("ignore")
        torch.onnx.export(
            build(name, spec),
            (torch.rand(1, planes_of(name, spec), 16, 16),),
            path,
            dynamo=False,
            input_names=["luma"],
            output_names=["out"],
            dynamic_axes={"luma": {2: "h", 3: "w"}, "out": {2: "sh", 3: "sw"}},
        )


class TorchNetwork(Runner):
    """Eager, channels last, which is the faster layout."""

    def __init__(self, task: Task, name: NetworkName, dtype: str = "float32") -> None:
        import torch

        torch.set_num_threads(task.threads)
        layout = {"dtype": getattr(torch, dtype), "memory_format": torch.channels_last}
        self._network = build(name, task.spec).to(**layout)
        self._planes = torch.from_numpy(task.planes(planes_of(name, task.spec))[None]).to(**layout)
        self.model_bytes = sum(item.numel() * item.element_size() for item in self._network.parameters())

    def run(self) -> Any:
        import torch

        with torch.inference_mode():
            return self._network(self._planes)[0].float().numpy()
