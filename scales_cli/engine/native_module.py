"""The compiled module of kernels and executors."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

from scales_cli.errors import ScalesError, UsageError


def native_module() -> ModuleType:
    """The compiled module; raises `ScalesError` if it was not built or `SCALES_ISA` names kernels that it lacks."""
    try:
        module: ModuleType = importlib.import_module("scales_cli.engine._native")
    except ImportError as error:
        raise ScalesError(
            "the native engine is not built here", "in a checkout, run `pip install -e .`; or use the torch engine"
        ) from error
    isa = os.environ.get("SCALES_ISA")
    if isa and isa not in (available := module.available_isas()):
        raise UsageError(f"SCALES_ISA={isa}: no such kernels on this CPU", f"available: {', '.join(available)}")
    return module
