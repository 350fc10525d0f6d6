"""Image upscaling with 1-bit networks. Names are imported on first use, so that `import scales_cli` costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scales_cli.engine.load import load_engine
    from scales_cli.errors import (
        DivergedError,
        InputError,
        MemoryLimitError,
        OutputError,
        OutputExistsError,
        ScalesError,
        UsageError,
        WeightsError,
    )
    from scales_cli.evaluation.datasets import find_benchmark
    from scales_cli.evaluation.scores import evaluate
    from scales_cli.pipeline.library import upscale, upscale_file
    from scales_cli.pipeline.upscaler import Upscaler
    from scales_cli.pipeline.upscalers import load

__all__ = [
    "DivergedError",
    "InputError",
    "MemoryLimitError",
    "OutputError",
    "OutputExistsError",
    "ScalesError",
    "Upscaler",
    "UsageError",
    "WeightsError",
    "__version__",
    "evaluate",
    "find_benchmark",
    "load",
    "load_engine",
    "upscale",
    "upscale_file",
]

_MODULES = {
    "Upscaler": "scales_cli.pipeline.upscaler",
    "evaluate": "scales_cli.evaluation.scores",
    "find_benchmark": "scales_cli.evaluation.datasets",
    "load": "scales_cli.pipeline.upscalers",
    "load_engine": "scales_cli.engine.load",
    "upscale": "scales_cli.pipeline.library",
    "upscale_file": "scales_cli.pipeline.library",
} | {name: "scales_cli.errors" for name in __all__ if name.endswith("Error")}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("scales-cli")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "0+source"
