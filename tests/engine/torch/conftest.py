import pytest

pytest.importorskip("torch")
pytest.importorskip("scales_cli.engine._native")
