"""The versions of the tools, which two files name."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_pre_commit_pins_what_the_extra_dev_does():
    hooks = ROOT / ".pre-commit-config.yaml"
    if not hooks.is_file():
        pytest.skip("not in a checkout")
    pins = set(re.findall(r"[\w-]+==[\d.]+", hooks.read_text(encoding="utf-8")))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert pins <= set(project["optional-dependencies"]["dev"])
    assert pins
