"""What measured times depend on."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from scales_cli.engine import native_module as native
from scales_cli.system.resources import usable_cores

_LIMITS = ("SCALES_ISA", "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY")  # environment that narrows instruction sets
_PACKAGES = ("scales-cli", "torch", "openvino", "nncf", "onnxruntime", "opencv-python-headless")


# What keeps oneDNN, and so OpenVINO and torch, from AMX: the newest instruction set before it whose effect was seen.
# ONNX Runtime has AMX in products of 8 bits alone, which no contender does there.
WITHOUT_AMX = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}


def describe_machine(limits: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Processor, usable cores, system, scales' kernels, limits by `limits` or the environment, installed versions.

    `amx` is whether rivals use Intel's matrix units: "used", "kept off" by a limit, or "absent" from the processor.
    """
    environment = os.environ | dict(limits or {})
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
        "amx": amx_use(environment.get("ONEDNN_MAX_CPU_ISA", "")),
        "limits": {name: environment[name] for name in _LIMITS if name in environment},
        "versions": versions,
    }


def amx_use(limit: str) -> str:
    """What rivals do with AMX under a limit of oneDNN's."""
    if not has_amx():
        return "absent"
    return "kept off" if _excludes_amx(limit) else "used"


def has_amx() -> bool:
    return re.search(r"\bamx_tile\b", _processors()) is not None


def without_amx() -> dict[str, str]:
    """The environment in which rivals do without AMX; a narrower limit that is set already stands."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    return {} if _excludes_amx(limit) else dict(WITHOUT_AMX)


def _excludes_amx(limit: str) -> bool:
    return limit.upper() not in ("", "DEFAULT", "ALL") and "AMX" not in limit.upper()


def chosen_isa(available: Sequence[str]) -> str:
    """The kernels that engines take: those that `SCALES_ISA` names, else the first, which are the best."""
    return os.environ.get("SCALES_ISA") or available[0]


def cpu_name() -> str:
    lines = _processors().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _processors() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
