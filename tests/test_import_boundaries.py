"""What imports what: the chain of packages, no cycles, and torch only where it is needed."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import scales_cli

PACKAGE = Path(scales_cli.__file__).parent

# A package may import those to its right and what everything may use.
CHAIN = ("cli", "health", "bench", "training", "evaluation", "pipeline", "engine", "weights")
FOR_ALL = ("imaging", "config", "errors")
BESIDE = {
    "training": ("networks", "layers"),
    "bench": ("networks",),  # its contenders
    "evaluation": ("networks",),  # whose cost it counts
    "engine": ("networks", "layers"),
    "networks": ("layers",),
}
ALLOWED = {
    **{name: set(CHAIN[i:]) | set(BESIDE.get(name, ())) | set(FOR_ALL) for i, name in enumerate(CHAIN)},
    "networks": {"networks", "layers", *FOR_ALL},
    "layers": {"layers", *FOR_ALL},
    "imaging": set(FOR_ALL),
    "config": {"errors"},
    "errors": set(),
    "__init__": set(CHAIN),
    "__main__": {"cli"},
}
TORCH = {"training", "networks", "layers"}
TORCH_FILES = {f"engine/{name}.py" for name in ("torch_engine", "hybrid_engine", "packed_layers", "packing", "gates")}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py"))


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("scales_cli", *parts)).removesuffix(".__init__")


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
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        pending += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_follow_the_chain(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    own = parts[0]
    for name in imports(path):
        if name.startswith("scales_cli."):
            other = name.split(".")[1]
            if (PACKAGE / other).is_dir() or (PACKAGE / f"{other}.py").is_file():
                assert other in ALLOWED[own], f"{path}: imports {name}"
    if own == "engine" and str(path.relative_to(PACKAGE)) not in TORCH_FILES:
        assert not {name for name in imports(path) if name.startswith(("scales_cli.networks", "scales_cli.layers"))}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_torch_is_imported_where_it_is_needed(path):
    parts = path.relative_to(PACKAGE).parts
    if parts[0] in TORCH or "/".join(parts) in TORCH_FILES:
        return
    heavy = {
        name
        for name in imports(path, on_import_only=True)
        if name.split(".")[0] in ("torch", "cv2", "openvino", "onnxruntime", "nncf")
    }
    assert not heavy


def test_imports_have_no_cycle():
    known = {name_of(path) for path in modules()}
    graph = {name_of(path): imports(path, on_import_only=True) & known for path in modules()}
    visiting, done = [], set()

    def visit(name):
        assert name not in visiting, " -> ".join([*visiting[visiting.index(name) :], name])
        if name not in done:
            visiting.append(name)
            for other in sorted(graph[name]):
                visit(other)
            visiting.pop()
            done.add(name)

    for name in sorted(graph):
        visit(name)


def loaded_by(code):
    """Top-level names of the modules a fresh process holds after running `code`."""
    script = f"import sys\n{code}\nprint('MODULES', *sorted({{name.split('.')[0] for name in sys.modules}}))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *sys.path])}
    command = [sys.executable, "-P", "-c", script]  # -P: not the source tree we may stand in
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.rsplit("MODULES", 1)[1].split())


def test_import_of_the_package_costs_nothing():
    assert not loaded_by("import scales_cli") & {"torch", "cv2", "PIL", "numpy", "typer", "rich", "safetensors"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["upscale", "--help"], ["train", "--help"], ["bench", "--help"]]
)
def test_help_imports_no_libraries(arguments):
    loaded = loaded_by(f"from scales_cli.cli.app import main\nmain({arguments})")
    assert not loaded & {"torch", "cv2", "PIL", "numpy", "safetensors"}


def test_upscale_imports_no_torch(weights_file, tmp_path):
    pytest.importorskip("scales_cli.engine._native")
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    arguments = ["upscale", str(tmp_path / "a.png"), "-s", "2", "-m", str(weights_file(2))]
    loaded = loaded_by(f"from scales_cli.cli.app import main\nassert main({arguments}) == 0")
    assert not loaded & {"torch", "cv2"}
    assert (tmp_path / "a_x2.png").exists()
