"""Full-precision networks in OpenCV, as its module `dnn_superres` runs them."""

from __future__ import annotations

from typing import Any

from scales_cli.bench.contenders.base import NetworkRunner, Task
from scales_cli.bench.contenders.torch_runtime import NetworkName, planes_of


class OpenCvNetwork(NetworkRunner):
    def __init__(self, task: Task, name: NetworkName) -> None:
        import cv2

        cv2.setNumThreads(task.threads)
        cv2.utils.logging.setLogLevel(0)  # it says which of its two engines it takes
        path = task.exports / f"{name}.onnx"
        self._network = cv2.dnn.readNetFromONNX(str(path))
        self.planes = task.planes(planes_of(name, task.spec))[None]
        self.model_bytes = path.stat().st_size

    def run(self) -> Any:
        self._network.setInput(self.planes)
        return self._network.forward()[0]
