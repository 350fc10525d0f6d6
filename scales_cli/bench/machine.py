"""What measured times depend on."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from scales_cli.engine import native_module as native
from scales_cli.system.resources import usable_cores

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
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "isa": chosen_isa(native.available_isas()),
        "limits": {name: os.environ[name] for name in _LIMITS if name in os.environ},
        "versions": versions,
    }


def chosen_isa(available: Sequence[str]) -> str:
    """The kernels that engines take: those that `SCALES_ISA` names, else the first, which are the best."""
    return os.environ.get("SCALES_ISA") or available[0]


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
