"""What imports what: the floors of the house, no cycles, and torch only where it is needed."""

import ast
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

import scales_cli

PACKAGE = Path(scales_cli.__file__).parent

# From the ground up: each folder or file may import itself and what stands beside it, all of which stand above it.
MAY_IMPORT = {
    "errors": "",
    "arguments": "errors",
    "system": "errors arguments",
    "storage": "errors system",
    "backbones": "errors",
    "imaging": "errors arguments system",
    "weights": "errors system storage backbones",
    "layers": "errors backbones",
    "networks": "errors backbones imaging layers",
    "engine": "errors system backbones weights",
    "engine/torch": "errors system backbones weights layers networks engine",
    "pipeline": "errors arguments system storage backbones imaging weights engine",
    "batch": "errors system storage backbones imaging weights engine pipeline",
    "comparison": "errors storage backbones imaging weights engine pipeline",
    "video": "errors system backbones imaging weights engine pipeline",
    "evaluation": "errors arguments imaging",
    "bench": "errors system backbones weights networks engine pipeline video evaluation",
    "health": "errors system storage backbones weights engine pipeline bench",
    "training/config": "errors backbones",
    "training": "errors system backbones imaging weights layers networks engine pipeline evaluation",
    "cli": "errors system storage backbones imaging weights pipeline batch video comparison evaluation bench health "
    "training",
    "__init__": "errors arguments engine pipeline evaluation",
    "__main__": "cli",
}
LARGE = ("torch", "cv2", "openvino", "onnxruntime", "nncf", "av", "dask", "distributed")
# These import torch when they are imported: others import them, and it, within functions.
TORCH = ("layers", "networks", "engine/torch", "training")


@functools.cache
def modules():
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("scales_cli", *parts)).removesuffix(".__init__")


def is_module(name):
    path = PACKAGE.parent / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


@functools.cache
def imports(path, *, on_import_only=False):
    """Names of all modules a file imports; `on_import_only` leaves out functions and TYPE_CHECKING blocks."""
    found = set()
    pending = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if on_import_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if on_import_only and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if is_module(name) else node.module for name in names}
        pending += ast.iter_child_nodes(node)
    return found


def lies_in(name, folder):
    """Whether a module of this package is the one, or in the one, that `folder` names."""
    return f"{name}.".startswith(f"scales_cli.{folder.replace('/', '.')}.")


def folder_of(name):
    """The longest of the names in `MAY_IMPORT` that a module lies in."""
    return max((folder for folder in MAY_IMPORT if lies_in(name, folder)), key=len, default=None)


def test_floors_stand_on_lower_floors():
    below = set()
    for folder, names in MAY_IMPORT.items():
        assert set(names.split()) <= below, folder
        below.add(folder)


def test_imports_go_down():
    for path in modules():
        own = folder_of(name_of(path)) or "__init__"
        allowed = [own, *MAY_IMPORT[own].split()]
        for name in imports(path):
            if name.startswith("scales_cli."):
                assert any(lies_in(name, folder) for folder in allowed), f"{path}: imports {name}"


def test_large_libraries_are_imported_where_they_are_needed():
    for path in modules():
        if folder_of(name_of(path)) in TORCH:
            continue
        for name in imports(path, on_import_only=True):
            is_large = name.split(".")[0] in LARGE or folder_of(name) in TORCH
            assert not is_large, f"{path}: imports {name}"


def test_imports_have_no_cycle():
    """Imports within functions count as well; the package itself imports what it exports by name."""
    graph = {name_of(path): imports(path) for path in modules()}
    del graph["scales_cli"]
    visiting, done = [], set()

    def visit(name):
        assert name not in visiting, " -> ".join([*visiting[visiting.index(name) :], name])
        if name not in done:
            visiting.append(name)
            for other in sorted(graph[name] & graph.keys()):
                visit(other)
            visiting.pop()
            done.add(name)

    for name in sorted(graph):
        visit(name)


def loaded_by(code):
    """Modules a fresh process holds after running `code`, and the packages that they are in."""
    script = f"import sys\n{code}\nprint('MODULES', *{{name.split('.')[0] for name in sys.modules}}, *sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *sys.path])}
    command = [sys.executable, "-P", "-c", script]  # -P: not the source tree we may stand in
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.rsplit("MODULES", 1)[1].split())


def test_import_of_the_package_costs_nothing():
    assert not loaded_by("import scales_cli") & {
        *("torch", "cv2", "PIL", "numpy", "typer", "rich", "safetensors", "requests", "fsspec", "s3fs"),
        *("dask", "distributed"),
    }


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["upscale", "--help"], ["batch", "--help"], ["train", "--help"], ["bench", "--help"]],
)
def test_help_imports_no_libraries(arguments):
    loaded = loaded_by(f"from scales_cli.cli.app import main\nmain({arguments})")
    assert not loaded & {"torch", "cv2", "PIL", "numpy", "safetensors", "requests", "fsspec", "s3fs", "distributed"}


def test_upscale_imports_no_torch(weights_file, tmp_path):
    pytest.importorskip("scales_cli.engine._native")
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    arguments = ["upscale", str(tmp_path / "a.png"), "-s", "2", "-m", str(weights_file(2))]
    loaded = loaded_by(f"from scales_cli.cli.app import main\nassert main({arguments}) == 0")
    assert not loaded & {"torch", "cv2", "requests", "fsspec", "distributed"}
    assert not loaded & {"scales_cli.cli.batch", "scales_cli.cli.bench", "scales_cli.cli.train"}
    assert (tmp_path / "a_x2.png").exists()
