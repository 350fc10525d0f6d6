"""All contenders by the names that `scales bench --against` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from scales_cli.backbones.cost import Part
from scales_cli.backbones.spec import NetworkSpec
from scales_cli.bench.contenders.base import Runner, Task
from scales_cli.bench.contenders.espcn import espcn_parts
from scales_cli.bench.contenders.fsrcnn import fsrcnn_parts
from scales_cli.bench.contenders.native import Bicubic, BinaryLayerRunner, Lanczos, NativeNetwork, Upscale
from scales_cli.bench.contenders.onnx_runtime import OnnxNetwork
from scales_cli.bench.contenders.opencv import OpenCvNetwork
from scales_cli.bench.contenders.openvino_runtime import OpenVinoBinary, OpenVinoNetwork
from scales_cli.bench.contenders.plain import PlainName, plain_parts
from scales_cli.bench.contenders.prepare import (
    Step,
    export_espcn,
    export_fsrcnn,
    export_plain,
    export_twin,
    quantize_plain,
    quantize_twin,
)
from scales_cli.bench.contenders.torch_runtime import NetworkName, TorchNetwork
from scales_cli.bench.contenders.video import FfmpegLanczos, NetworkVideo, ScalesVideo
from scales_cli.errors import UsageError
from scales_cli.system.extras import install_hint

INSTALL = install_hint("bench")
EXPORT = ("torch", "onnx")


@dataclass(frozen=True)
class Contender:
    """`build` and `steps` run in other processes; without the modules it `requires` they cannot.

    A `fallback` takes part only if all others of its name are missing. `ensemble` is whether it runs the one that a
    task asks for.
    """

    name: str
    build: Callable[[Task], Runner]
    requires: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    parts: Callable[[NetworkSpec], list[Part]] | None = None
    fallback: bool = False
    ensemble: bool = False

    def missing(self) -> list[str]:
        return [module for module in self.requires if find_spec(module) is None]


def _twin(name: str, build: Callable[[Task], Runner], requires: tuple[str, ...], *steps: Step) -> tuple[Contender, ...]:
    return (Contender(name, build, requires, steps, lambda spec: spec.full_precision().parts()),)


def _small(name: NetworkName, step: Step, parts: Callable[[NetworkSpec], list[Part]]) -> tuple[Contender, ...]:
    """In both fast runtimes: now one, now the other is the faster."""
    return (
        Contender(f"{name} (openvino)", partial(OpenVinoNetwork, name=name), ("openvino", *EXPORT), (step,), parts),
        Contender(f"{name} (onnxruntime)", partial(OnnxNetwork, name=name), ("onnxruntime", *EXPORT), (step,), parts),
        Contender(f"{name} (torch)", partial(TorchNetwork, name=name), ("torch",), (), parts, fallback=True),
    )


def _small_for_video(
    name: NetworkName, step: Step, parts: Callable[[NetworkSpec], list[Part]]
) -> tuple[Contender, ...]:
    """In OpenCV, where video gets them, and in the fastest runtime."""
    runtimes = {"opencv": OpenCvNetwork, "onnxruntime": OnnxNetwork}
    return tuple(
        Contender(
            f"{name} ({module})",
            partial(NetworkVideo, build=partial(network, name=name)),
            EXPORT if module == "opencv" else (module, *EXPORT),
            (step,),
            parts,
        )
        for module, network in runtimes.items()
    )


def _plain(name: PlainName) -> Iterator[Contender]:
    """In every precision that a runtime has for it; torch is far behind, and stands in only where there is no other."""

    def parts(spec: NetworkSpec) -> list[Part]:
        return plain_parts(name, spec.scale)

    export, openvino = (export_plain,), partial(OpenVinoNetwork, name=name)
    int8 = partial(openvino, precision=None, quantized=True)
    for label, build, modules, steps in (
        ("openvino-fp32", openvino, ("openvino", *EXPORT), export),
        ("openvino-bf16", partial(openvino, precision="bf16"), ("openvino", *EXPORT), export),
        ("openvino-int8", int8, ("openvino", "nncf", *EXPORT), (export_plain, quantize_plain)),
        ("onnxruntime", partial(OnnxNetwork, name=name), ("onnxruntime", *EXPORT), export),
    ):
        yield Contender(f"{name} ({label})", build, modules, steps, parts)
    yield Contender(f"{name} (torch)", partial(TorchNetwork, name=name), ("torch",), (), parts, fallback=True)


_openvino, _torch = partial(OpenVinoNetwork, name="twin"), partial(TorchNetwork, name="twin")
_int8 = partial(_openvino, precision=None, quantized=True)

PROGRAM = "scales upscale"
OURS = Contender("scales", NativeNetwork, parts=NetworkSpec.parts, ensemble=True)
LAYER = Contender("binary layer", BinaryLayerRunner)
CONTENDERS: dict[str, tuple[Contender, ...]] = {
    "torch-fp32": _twin("torch-fp32", _torch, ("torch",)),
    "torch-bf16": _twin("torch-bf16", partial(_torch, dtype="bfloat16"), ("torch",)),
    "openvino-fp32": _twin("openvino-fp32", _openvino, ("openvino", *EXPORT), export_twin),
    "openvino-bf16": _twin("openvino-bf16", partial(_openvino, precision="bf16"), ("openvino", *EXPORT), export_twin),
    "openvino-int8": _twin("openvino-int8", _int8, ("openvino", "nncf", *EXPORT), export_twin, quantize_twin),
    "openvino-binary": (Contender("openvino-binary", OpenVinoBinary, ("openvino",), parts=NetworkSpec.parts),),
    "onnxruntime": _twin("onnxruntime", partial(OnnxNetwork, name="twin"), ("onnxruntime", *EXPORT), export_twin),
    "fsrcnn": _small("fsrcnn", export_fsrcnn, lambda spec: fsrcnn_parts()),
    "espcn": _small("espcn", export_espcn, lambda spec: espcn_parts(spec.scale)),
    "front": (*_plain("ecbsr-m4c32"), *_plain("ecbsr-m6c40")),
    "bicubic": (Contender("bicubic", Bicubic),),
    "lanczos": (Contender("lanczos", Lanczos),),
    "upscale": (Contender(PROGRAM, Upscale),),
}

# For frames of video
VIDEO_OURS = Contender(OURS.name, ScalesVideo, parts=NetworkSpec.parts, ensemble=True)
VIDEO_CONTENDERS: dict[str, tuple[Contender, ...]] = {
    "fsrcnn": _small_for_video("fsrcnn", export_fsrcnn, lambda spec: fsrcnn_parts()),
    "espcn": _small_for_video("espcn", export_espcn, lambda spec: espcn_parts(spec.scale)),
    "lanczos": (Contender("lanczos (ffmpeg)", FfmpegLanczos, ("av",)),),
    "still": (
        Contender("scales, 3/4 still", partial(ScalesVideo, changing=0.25), parts=NetworkSpec.parts, ensemble=True),
    ),
}


def of_model(ours: Contender, name: str, spec: NetworkSpec, file: Path) -> Contender:
    """`ours` with another model than the task's, as a rival."""
    build = partial(_build_with, ours.build, spec, file)
    return replace(ours, name=name, build=build, parts=lambda task_spec: spec.parts())


def _build_with(build: Callable[[Task], Runner], spec: NetworkSpec, file: Path, task: Task) -> Runner:
    return build(replace(task, spec=spec, model=file))


def quick_names() -> tuple[str, ...]:
    """What is fast to set up and to run: torch only if no other runtime is installed."""
    fast = ("openvino-fp32", "openvino-bf16", "onnxruntime")
    slow = () if find_spec("openvino") or find_spec("onnxruntime") else ("torch-fp32",)
    return (*fast, *slow, "fsrcnn", "bicubic")


def choose(
    names: Iterable[str], known: Mapping[str, tuple[Contender, ...]] = CONTENDERS
) -> tuple[list[Contender], dict[str, list[str]]]:
    """The contenders of these names that can run here, and the modules that each of the others lacks."""
    chosen: list[Contender] = []
    missing: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        if name not in known:
            raise UsageError(f"no contender {name!r}", f"known are {', '.join(known)}")
        able = [item for item in known[name] if not item.missing()]
        chosen += [item for item in able if not item.fallback] or able
        for item in known[name]:
            if item.missing() and not item.fallback:
                missing[item.name] = item.missing()
    return chosen, missing


def not_installed(modules: Iterable[str]) -> str:
    """Why contenders that need these modules are skipped, and what to do about it."""
    return f"{', '.join(dict.fromkeys(modules))} not installed: {INSTALL}"
