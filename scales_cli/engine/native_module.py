"""The compiled module of kernels and executors, whose names are reached through this one.

It is imported at the first of them: `ScalesError` is raised if it was not built, cannot be loaded or is older than the
sources beside it, or if `SCALES_ISA` names kernels that it lacks.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
from pathlib import Path
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


_NAME = "scales_cli.engine._native"
_BINDINGS = Path(__file__).parents[1] / "native" / "bindings"  # which only checkouts have


def _compiled() -> ModuleType:
    module = _loaded()
    isa = os.environ.get("SCALES_ISA")
    if isa and isa not in (available := module.available_isas()):
        raise UsageError(f"SCALES_ISA={isa}: no such kernels on this CPU", f"available: {', '.join(available)}")
    return module


@functools.cache
def _loaded() -> ModuleType:
    try:
        module = importlib.import_module(_NAME)
    except ModuleNotFoundError as error:
        raise ScalesError(
            "the native engine is not built here", "in a checkout, run `pip install -e .`; or use the torch engine"
        ) from error
    except ImportError as error:
        raise ScalesError(
            f"the native engine cannot be loaded here: {error}", "if it was built elsewhere, install scales-cli here"
        ) from error
    digest = getattr(module, "bindings_digest", str)
    if (sources := _bindings_digest()) is not None and digest() != sources:
        raise ScalesError("the native engine was built from other sources than these", "run `pip install -e .` again")
    return module


def _bindings_digest() -> str | None:
    """As CMakeLists.txt makes it; a wheel is built as a whole, and needs none."""
    files = sorted(path for path in _BINDINGS.glob("*") if path.suffix in (".cpp", ".h"))
    digests = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return hashlib.sha256(digests.encode()).hexdigest() if files else None
