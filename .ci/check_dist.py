"""What the sdist and the wheel in a folder must and must not hold; prints their sizes."""

import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODELS = tomllib.loads((ROOT / "scales_cli/weights/registry.toml").read_text(encoding="utf-8"))["model"]
DATA = [
    "scales_cli/comparison/page.html",
    "scales_cli/py.typed",
    "scales_cli/weights/registry.toml",
    *(f"scales_cli/weights/models/{model['file']}" for model in MODELS),
    *(path.relative_to(ROOT).as_posix() for path in (ROOT / "scales_cli/training").rglob("*.toml")),
]
WHEEL = ["scales_cli/__init__.py", "scales_cli/engine/_native.pyi", *DATA]
SDIST = [
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "scales_cli/native/CMakeLists.txt",
    "scales_cli/native/bindings/module.cpp",
    "tests/conftest.py",
    *DATA,
]


def check(archive: Path, names: set[str], required: list[str], unwanted: set[str]) -> None:
    missing = sorted(set(required) - names)
    if missing or unwanted:
        sys.exit(f"{archive.name}: missing {missing}, unwanted {sorted(unwanted)}")
    print(f"{archive.name}: {len(names)} files, {archive.stat().st_size / 1024:.0f} KiB")  # noqa: T201


(sdist,), (wheel,) = Path(sys.argv[1]).glob("*.tar.gz"), Path(sys.argv[1]).glob("*.whl")
with tarfile.open(sdist) as tar:
    in_sdist = {member.name.split("/", 1)[1] for member in tar.getmembers() if member.isfile()}
check(sdist, in_sdist, SDIST, {name for name in in_sdist if name.startswith((".ci", ".github", "build"))})
with zipfile.ZipFile(wheel) as archive:
    in_wheel = {name for name in archive.namelist() if not name.endswith("/")}
stray = {
    name
    for name in in_wheel
    if not name.startswith(("scales_cli/", "scales_cli-"))
    or name.startswith("scales_cli/native/")
    or name.endswith((".cpp", ".h", ".a"))
}
modules = {name for name in in_wheel if name.startswith("scales_cli/engine/_native.") and not name.endswith(".pyi")}
check(wheel, in_wheel, [*WHEEL, *(modules or ["scales_cli/engine/_native.*"])], stray)
