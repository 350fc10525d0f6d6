"""The compiled module of kernels and executors, whose names are reached through this one.

It is imported at the first of them: `ScalesError` is raised if it was not built, or if `SCALES_ISA` names kernels that
it lacks.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scales_cli.errors import ScalesError, UsageError

if TYPE_CHECKING:
    from scales_cli.engine._native import *  # noqa: F403
else:

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_compiled(), name)


def _compiled() -> ModuleType:
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
