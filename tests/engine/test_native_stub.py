"""The stub of the compiled module, by which the type checker knows the engine."""

from pathlib import Path

import pytest

from scales_cli.engine import native_module

stubgen = pytest.importorskip("nanobind.stubgen")
native = pytest.importorskip("scales_cli.engine._native")


def test_stub_is_what_nanobind_generates() -> None:
    """To renew it: python -m nanobind.stubgen -m scales_cli.engine._native -o scales_cli/engine/_native.pyi"""
    generator = stubgen.StubGen(native)
    generator.put(native)
    stub = Path(native_module.__file__).with_name("_native.pyi")
    assert stub.read_text(encoding="utf-8") == generator.get()
