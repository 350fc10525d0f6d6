"""Full-precision networks in ONNX Runtime."""

from __future__ import annotations

from typing import Any

from scales_cli.bench.contenders.base import NetworkRunner, Task
from scales_cli.bench.contenders.torch_runtime import NetworkName, planes_of


class OnnxNetwork(NetworkRunner):
    def __init__(self, task: Task, name: NetworkName) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = task.threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = task.exports / f"{name}.onnx"
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.planes = task.planes(planes_of(name, task.spec))[None]
        self.model_bytes = path.stat().st_size

    def run(self) -> Any:
        return self._session.run(None, {"luma": self.planes})[0][0]
