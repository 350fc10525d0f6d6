"""What measured times depend on."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from scales_cli.config import NetworkSpec
from scales_cli.engine.native_engine import NativeEngine
from scales_cli.engine.resources import usable_cores
from scales_cli.evaluation.random_weights import random_weights

_LIMITS = ("SCALES_ISA", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")  # environment that narrows instruction sets
_PACKAGES = ("scales-cli", "torch", "openvino", "nncf", "onnxruntime", "opencv-python-headless")


def describe_machine() -> dict[str, Any]:
    """Processor, usable cores, system, scales' kernels, limits set by the environment, and installed versions."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    isa = NativeEngine(random_weights(NetworkSpec(n_blocks=1)), 1).isa
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "isa": isa,
        "limits": {name: os.environ[name] for name in _LIMITS if name in os.environ},
        "versions": versions,
    }


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
