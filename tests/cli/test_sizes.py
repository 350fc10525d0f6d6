"""The size law: a result has exactly the scale times the size of its input, whatever that is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.cli.app import main

LONGEST = 4096


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_results_have_the_scale_times_the_size(folder, capfd, count):
    rng = np.random.default_rng(count)
    sizes = [(1, 1), (LONGEST, 1), (1, LONGEST)]
    while len(sizes) < count:
        width, height = (int(2 ** rng.uniform(0, 12)) for _ in range(2))
        if width * height <= LONGEST:
            sizes.append((width, height))
    for width, height in sizes:
        scale, mode = int(rng.integers(2, 5)), str(rng.choice(["L", "LA", "RGB", "RGBA"]))
        Image.new(mode, (width, height)).save("b.png")
        assert main(["upscale", "b.png", "-s", f"{scale}", "-m", "tiny", "-o", "c.png", "-t", "1"]) == 0
        with Image.open("c.png") as result:
            assert (result.size, result.mode) == ((width * scale, height * scale), mode)
        Path("c.png").unlink()
    assert capfd.readouterr() == ("c.png\n" * count, "")


def test_a_picture_that_needs_another_network_fails_alone(folder, weights_file, capfd):
    Image.new("L", (60, 60)).save("near.png")
    Image.new("L", (30, 30)).save("far.png")  # which no network of x2 makes so wide
    model = str(weights_file(2))
    assert main(["upscale", "far.png", "near.png", "--width", "100", "-m", model, "-o", "out/"]) == 1
    said = capfd.readouterr()
    assert said.out == "out/near_w100.png\n"
    assert "far.png: model" in said.err
    assert "enlarges by 2, not by 4 (enlarge by 2 (-s 2), or choose another model)" in said.err
