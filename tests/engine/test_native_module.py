"""How the compiled module is found, and what is said where it cannot be used."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from scales_cli.engine import native_module
from scales_cli.errors import ScalesError

native = pytest.importorskip("scales_cli.engine._native")


@pytest.fixture(autouse=True)
def loaded_anew() -> Iterator[None]:
    native_module._loaded.cache_clear()
    yield
    native_module._loaded.cache_clear()


@pytest.fixture
def checkout() -> None:
    if not native_module._BINDINGS.is_dir():
        pytest.skip("not in a checkout")


def test_a_module_of_these_sources_is_used(checkout: None) -> None:
    assert native_module._bindings_digest() == native.bindings_digest()
    assert native_module.available_isas() == native.available_isas()


@pytest.mark.parametrize("older", [{"bindings_digest": lambda: "another"}, {}], ids=["other", "from before digests"])
def test_a_module_of_other_sources_is_refused(older, checkout: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or calls would end as TypeErrors that nobody understands."""
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(**older))
    with pytest.raises(ScalesError, match="built from other sources") as caught:
        native_module.available_isas()
    assert "pip install" in caught.value.hint


def test_an_installed_module_needs_no_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(native_module, "_BINDINGS", tmp_path / "none")
    assert native_module.available_isas() == native.available_isas()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModuleNotFoundError("No module named 'scales_cli.engine._native'"), "is not built here"),
        (ImportError("`GLIBCXX_3.4.32' not found"), "cannot be loaded here: `GLIBCXX_3.4.32' not found"),
    ],
)
def test_a_module_that_is_missing_or_cannot_be_loaded_is_named(
    error: ImportError, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(ScalesError) as caught:
        native_module.available_isas()
    assert str(caught.value) == f"the native engine {message}"


def test_other_interpreters_than_the_main_one_are_refused() -> None:
    """There, a call would wait for a lock for ever."""
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    code = f"""if True:
        import {name} as interpreters

        other = interpreters.create()
        script = '''if True:
            try:
                import scales_cli.engine._native
            except ImportError as error:
                print("refused:", error, flush=True)'''
        interpreters.run_string(other, script)
        import scales_cli.engine._native
        interpreters.run_string(other, script)
        print("main", flush=True)"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    refused, again, main = result.stdout.splitlines()
    assert refused.startswith("refused: ")
    assert again == refused
    assert main == "main"
