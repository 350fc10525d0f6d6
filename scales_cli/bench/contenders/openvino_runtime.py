"""Networks in OpenVINO: full precision, quantized to 8 bits, and with its own binary convolution."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import LARGEST_TAIL_INPUT
from scales_cli.bench.contenders.base import NetworkRunner, Task
from scales_cli.bench.contenders.torch_runtime import NetworkName, planes_of
from scales_cli.engine.layer_stack import stack_layers
from scales_cli.errors import ScalesError
from scales_cli.weights.packed import PackedWeights, load_packed, unrounded


class OpenVinoModel(NetworkRunner):
    """A model compiled for pictures of the task's size. `precision` is f32, bf16, or None for OpenVINO's own choice."""

    def __init__(self, task: Task, model: Any, precision: str | None, planes: int = 1) -> None:
        core = openvino_core()
        if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ScalesError("this CPU computes nothing in bfloat16")
        model.reshape([1, planes, task.height, task.width])
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": task.threads,
            "NUM_STREAMS": 1,
        }
        if precision:
            options["INFERENCE_PRECISION_HINT"] = precision
        self._request = core.compile_model(model, "CPU", options).create_infer_request()
        self.planes = task.planes(planes)[None]

    def run(self) -> Any:
        outputs = self._request.infer([self.planes], share_inputs=True, share_outputs=True)
        return outputs[0][0]


class OpenVinoNetwork(OpenVinoModel):
    """An exported network (ONNX), or what `quantize` made of it (IR)."""

    def __init__(
        self, task: Task, name: NetworkName, precision: str | None = "f32", *, quantized: bool = False
    ) -> None:
        stem = f"{name}-int8" if quantized else name
        files = [path for path in task.exports.glob(f"{stem}.*") if path.suffix in (".onnx", ".xml", ".bin")]
        model = next(path for path in files if path.suffix in (".onnx", ".xml"))
        super().__init__(task, read_model(model), precision, planes_of(name, task.spec))
        self.model_bytes = sum(path.stat().st_size for path in files)


class OpenVinoBinary(OpenVinoModel):
    """The packed network itself, its binary layers as FakeQuantize (the thresholds) and BinaryConvolution."""

    def __init__(self, task: Task) -> None:
        weights = load_packed(task.model)
        if not weights.spec.runs_natively:
            raise ScalesError(f"no form of a {weights.spec.backbone} is known here")
        if weights.spec.inputs != 1:
            raise ScalesError("only networks of luma have a form here")
        super().__init__(task, binary_model(weights), "f32")
        self.model_bytes = task.model.stat().st_size


@cache
def openvino_core() -> Any:
    """The one core of this process, which is never released.

    Each core has signals handled on a stack of its own. If two are released as they came, that of one
    stays in use after it was unmapped, and the next Ctrl-C is a segmentation fault (seen with OpenVINO 2026).
    """
    import openvino

    return openvino.Core()


def read_model(path: Path) -> Any:
    """An exported model with the slopes of each PReLU as a vector: only so is it fused into the convolution before."""
    from openvino import opset13

    model = openvino_core().read_model(path)
    for node in model.get_ordered_ops():
        if node.get_type_name() == "PRelu" and node.input_value(1).get_node().get_type_name() == "Constant":
            slopes = np.ascontiguousarray(node.input_value(1).get_node().get_data().reshape(-1))
            node.input(1).replace_source_output(opset13.constant(slopes).output(0))
    return model


def binary_model(weights: PackedWeights) -> Any:
    """Packed weights as an OpenVINO model, [1, 1, H, W] -> [1, 1, sH, sW], by `weights.packed`'s equations."""
    import openvino
    from openvino import opset1, opset13

    tensors, stack = weights.tensors, stack_layers(weights)

    def per_channel(values: NDArray[Any]) -> NDArray[Any]:
        return values.reshape(1, -1, 1, 1)

    def conv(x: Any, weight: NDArray[np.float32], pad: int) -> Any:
        return opset13.convolution(x, weight, [1, 1], [pad, pad], [pad, pad], [1, 1])

    def layer(x: Any, index: int) -> Any:
        threshold = per_channel(stack["threshold"][index])
        bits = opset13.fake_quantize(x, threshold, threshold, np.float32(0), np.float32(1), 2)
        pads = [1, 1]
        branch = opset1.binary_convolution(
            bits, binary_filters(stack["bits"][index]), pads, pads, pads, pads, "xnor-popcount", 0.0
        )
        spatial = conv(x, stack["spatial"][index].reshape(1, -1, 1, 1), 0)
        spatial = opset13.sigmoid(opset13.add(spatial, stack["spatial_bias"][index].reshape(1, 1, 1, 1)))
        taps = stack["channel"][index].reshape(1, 1, 1, -1)
        means = opset13.reshape(opset13.reduce_mean(x, [2, 3], True), [1, 1, 1, -1], False)
        reach = taps.shape[-1] // 2
        gate = opset13.sigmoid(opset13.convolution(means, taps, [1, 1], [0, reach], [0, reach], [1, 1]))
        gate = opset13.multiply(opset13.reshape(gate, [1, -1, 1, 1], False), per_channel(stack["weight_scale"][index]))
        branch = opset13.multiply(opset13.multiply(branch, spatial), gate)
        branch = opset13.subtract(branch, per_channel(stack["shift_in"][index]))
        branch = opset13.prelu(branch, stack["slope"][index])
        return opset13.add(x, opset13.add(branch, per_channel(stack["shift_out"][index])))

    luma = opset13.parameter([1, 1, -1, -1], np.float32)
    scaled = opset13.subtract(opset13.multiply(luma, np.float32(4)), np.float32(2))
    head = opset13.add(conv(scaled, tensors["head.weight"], 1), per_channel(tensors["head.bias"]))
    x = head
    for index in range(weights.spec.n_convs):
        x = layer(x, index)
    largest = per_channel(LARGEST_TAIL_INPUT / tensors["tail.gain"])
    steps = 2 * LARGEST_TAIL_INPUT + 1
    rounded = opset13.fake_quantize(opset13.add(x, head), -largest, largest, -largest, largest, steps)
    out = opset13.add(conv(rounded, unrounded(weights, "tail"), 1), per_channel(tensors["tail.bias"]))
    out = opset13.depth_to_space(out, "depth_first", weights.spec.scale)
    return openvino.Model([opset13.result(out)], [luma])


def binary_filters(words: NDArray[np.uint64]) -> Any:
    """Words [Co, 3, 3, Ci / 64] as a u1 constant [Co, Ci, 3, 3].

    The CPU plugin reads the lowest bit of a byte first, but constants are made with the highest first.
    """
    import openvino
    from openvino import opset13

    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
    bits = np.moveaxis(bits, -1, 1)
    swapped = np.ascontiguousarray(bits).reshape(-1, 8)[:, ::-1].reshape(bits.shape)
    return opset13.constant(np.ascontiguousarray(swapped), dtype=openvino.Type.u1)


def quantize(source: Path, target: Path, crops: NDArray[np.float32], *, keep_last: bool = False) -> None:
    """Post-training quantization to 8 bits by NNCF; `crops` are [N, 1, C, h, w] to calibrate on.

    The last convolution can be kept in full precision.
    """
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    model = read_model(source)
    options: dict[str, Any] = {}
    if keep_last:
        convs = [node for node in model.get_ordered_ops() if node.get_type_name() == "Convolution"]
        scope = nncf.IgnoredScope(names=[convs[-1].get_friendly_name()])
        options = {"ignored_scope": scope, "preset": nncf.QuantizationPreset.MIXED}
    quantized = nncf.quantize(model, nncf.Dataset(list(crops)), subset_size=len(crops), **options)
    openvino.save_model(quantized, target, compress_to_fp16=False)
