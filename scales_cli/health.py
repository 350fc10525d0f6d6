"""Whether this installation works on this machine, and what it found there."""

from __future__ import annotations

import dataclasses
import io
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.errors import ScalesError

Status = Literal["ok", "warning", "broken"]

_PACKAGES = (
    "scales-cli",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "safetensors",
    "typer",
    "rich",
    "torch",
)
_CODECS = {"PNG": "zlib", "JPEG": "jpg", "WebP": "webp", "TIFF": "libtiff", "AVIF": "avif", "JPEG 2000": "jpg_2000"}
_VARIABLES = ("CACHE", "CONFIG", "DEBUG", "ISA", "MAX_MEMORY", "MIRROR", "MODEL", "OFFLINE", "THREADS")


@dataclass(frozen=True)
class Finding:
    """`detail` is one line; `values` are the same facts for programs."""

    name: str
    status: Status
    detail: str
    values: dict[str, Any] = dataclasses.field(default_factory=dict)


def examine() -> Iterator[Finding]:
    """All checks in turn; one that fails in a way nobody thought of is broken, and the others go on."""
    for check in (_versions, _processor, _engine, _memory, _models, _cache, _codecs, _temporary_files, _environment):
        try:
            yield check()
        except Exception as error:
            hint = f" ({error.hint})" if isinstance(error, ScalesError) and error.hint else ""
            yield Finding(check.__name__.strip("_").replace("_", " "), "broken", f"{error}{hint}")


def _versions() -> Finding:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    found |= {"python": platform.python_version(), "system": platform.platform()}
    return Finding("versions", "ok", ", ".join(f"{name} {version}" for name, version in found.items()), found)


def _processor() -> Finding:
    from scales_cli.bench.machine import chosen_isa, cpu_name
    from scales_cli.engine import native_module as native
    from scales_cli.system.resources import usable_cores

    isas, cores, all_cores = native.available_isas(), usable_cores(), os.cpu_count() or 1
    chosen = chosen_isa(isas)
    values = {"cpu": cpu_name(), "isas": isas, "isa": chosen, "usable_cores": cores, "cores": all_cores}
    slow = chosen == "reference"
    detail = f"{values['cpu']}; kernels {chosen}, of {', '.join(isas)}; {cores} of {all_cores} cores usable"
    return Finding(
        "processor", "warning" if slow else "ok", detail + ("; these kernels are slow" if slow else ""), values
    )


def _engine() -> Finding:
    """A small network gives the bits that the reference kernels give."""
    from scales_cli.bench.random_weights import random_weights
    from scales_cli.engine.base import ArrayPlanes
    from scales_cli.engine.native_engine import NativeEngine

    weights = random_weights(NetworkSpec(n_blocks=1))
    planes = ArrayPlanes(np.random.default_rng(0).random((1, 33, 37), np.float32))
    engines = [NativeEngine(weights, 1), NativeEngine(weights, 1, isa="reference")]
    chosen, reference = (next(engine.residual_rows(planes)).planes for engine in engines)
    if not np.array_equal(chosen, reference):
        return Finding(
            "engine", "broken", f"the kernels {engines[0].isa} compute wrongly here: set SCALES_ISA=reference"
        )
    return Finding("engine", "ok", f"the kernels {engines[0].isa} compute what the reference does")


def _memory() -> Finding:
    from scales_cli.pipeline.memory import default_limit
    from scales_cli.system.resources import available_bytes

    available, limit = available_bytes(), default_limit()
    detail = f"{_mib(available)} available here, by the system and cgroups; --max-memory is {_mib(limit)} by default"
    values = {"available": available, "max_memory": limit}
    return Finding("memory", "ok" if available >= 2**28 else "warning", detail, values)


def _models() -> Finding:
    from scales_cli.weights.family import resolve
    from scales_cli.weights.preferences import default_model
    from scales_cli.weights.store import Store, bundled_path

    store = Store()
    bundled = [entry for entry in store.registry.entries if bundled_path(entry).is_file()]
    if not bundled:
        return Finding("models", "broken", "there are none in the package: install scales-cli again")
    for entry in bundled:
        entry.check(bundled_path(entry))
    default, chosen = default_model(), os.environ.get("SCALES_MODEL") or None
    resolve(store=store)
    if chosen is not None:
        try:
            resolve(chosen, store)
        except ScalesError as error:
            raise error.about("SCALES_MODEL") from error
    values = {"bundled": [entry.name for entry in bundled], "default": default, "base_url": store.registry.base_url}
    detail = f"{len(bundled)} in the package, intact; the default is {default}"
    detail += f", and {chosen} by SCALES_MODEL" if chosen else ""
    idle = [entry.name for entry in bundled if not entry.spec.runs_natively] if find_spec("torch") is None else []
    return Finding("models", "ok", detail + (f"; {', '.join(idle)} would need torch" if idle else ""), values)


def _cache() -> Finding:
    from scales_cli.storage.offline import is_offline
    from scales_cli.weights.store import Store

    store = Store()
    folder, cached = store.cache.folder, store.cache.models()
    values = {"folder": str(folder), "models": len(cached), "offline": is_offline()}
    for model in cached:
        model.check()
    detail = f"{folder}: {len(cached)} models, intact" + ("; offline" if is_offline() else "")
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        return Finding(
            "cache", "warning", f"{detail}; it cannot be written: set SCALES_CACHE to a folder that can", values
        )
    return Finding("cache", "ok", detail, values)


def _codecs() -> Finding:
    import cv2
    from PIL import features

    found = {name: bool(features.check(feature)) for name, feature in _CODECS.items()}
    levels = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    decoded = cv2.imdecode(cv2.imencode(".png", levels)[1], cv2.IMREAD_UNCHANGED)
    found["16-bit PNG"] = decoded is not None and bool((decoded == levels).all())
    missing = [name for name, there in found.items() if not there]
    if missing:
        needed: Status = "broken" if {"PNG", "JPEG", "16-bit PNG"} & set(missing) else "warning"
        return Finding("codecs", needed, f"missing: {', '.join(missing)}; install pillow and opencv again", dict(found))
    return Finding("codecs", "ok", ", ".join(found), dict(found))


def _temporary_files() -> Finding:
    """Pipes go through them."""
    with tempfile.TemporaryFile() as stream:
        stream.write(bytes(io.DEFAULT_BUFFER_SIZE))
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free
    values = {"folder": str(folder), "free": free}
    return Finding("temporary files", "ok" if free >= 2**28 else "warning", f"{folder}: {_mib(free)} free", values)


def _environment() -> Finding:
    found = {name: value for name, value in sorted(os.environ.items()) if name.startswith("SCALES_")}
    unknown = [name for name in found if name.removeprefix("SCALES_") not in _VARIABLES]
    detail = ", ".join(f"{name}={value}" for name, value in found.items()) or "nothing set"
    if unknown:
        return Finding("environment", "warning", f"{detail}; {', '.join(unknown)} mean nothing to scales", dict(found))
    return Finding("environment", "ok", detail, dict(found))


def _mib(count: int) -> str:
    return f"{count // 2**20} MiB"
