"""The stored results, and the flag that replaces them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scales_cli.imaging.metrics import psnr

FOLDER = Path(__file__).parent
_DIGESTS = FOLDER / "digests.json"


class Golden:
    """The results of earlier runs. With a `reason` those of this run take their place, and it is kept beside them."""

    def __init__(self, reason: str | None) -> None:
        self._stored: dict[str, Any] = json.loads(_DIGESTS.read_text(encoding="utf-8"))
        self._reason = reason
        self._seen: dict[str, dict[str, str]] = {}

    def check_digest(self, model: str, picture: str, digest: str) -> None:
        """Fails if a picture's enlargement is not the stored one."""
        self._seen.setdefault(model, {})[picture] = digest
        if self._reason is None:
            assert digest == self._stored["digests"].get(model, {}).get(picture), _ADVICE

    def check_picture(self, name: str, pixels: np.ndarray, least_psnr: float) -> None:
        """Fails if a picture is not the stored one within `least_psnr` dB."""
        path = FOLDER / f"{name}.png"
        if self._reason is not None:
            Image.fromarray(pixels).save(path)
        stored = np.asarray(Image.open(path))
        assert pixels.shape == stored.shape
        assert psnr(pixels.astype(np.float64), stored.astype(np.float64)) >= least_psnr, _ADVICE

    def check_names(self, models: set[str], pictures: set[str]) -> None:
        """Fails if results are stored that no test looks at any more, or a model has none."""
        if self._reason is None:
            assert set(self._stored["digests"]) == models
            assert {name for digests in self._stored["digests"].values() for name in digests} == pictures

    def update(self) -> None:
        """Writes the digests of this run; those of tests that did not run stay."""
        stored = self._stored["digests"]
        for model, digests in self._seen.items():
            stored[model] = stored.get(model, {}) | digests
        self._stored["reasons"].append(self._reason)
        _DIGESTS.write_text(json.dumps(self._stored, indent=2) + "\n", encoding="utf-8")


_ADVICE = 'the result is another: if it is meant to be, run `pytest tests/golden --update-golden "why"`'


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> Iterator[Golden]:
    reason = request.config.getoption("--update-golden")
    golden = Golden(reason)
    yield golden
    if reason is not None:
        golden.update()
