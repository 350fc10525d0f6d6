"""The pixels of every shipped model, pinned over time: a refactoring changes none of them.

The native engine gives the same bytes on every CPU, so that digests do. torch sums in an order of its own on each, and
a value beside a threshold then falls to the other side: what needs torch is compared within a tolerance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scales_cli.cli.app import main
from scales_cli.imaging.files import read_image
from scales_cli.weights.registry import load_registry

pytest.importorskip("scales_cli.engine._native")

PARROTS = Path(__file__).parents[1] / "data" / "parrots.png"
ENTRIES = load_registry().entries
MODELS = {entry.name: entry.scale for entry in ENTRIES if entry.spec.backbone == "srresnet"}
TORCH_MODELS = {entry.name: entry.scale for entry in ENTRIES if entry.name not in MODELS}


def crop(height: int = 27, width: int = 38) -> np.ndarray:
    """A colourful part of the picture [H, W, 3], uint8."""
    return np.array(Image.open(PARROTS).convert("RGB"))[60 : 60 + height, 70 : 70 + width]


def ramp(height: int, width: int) -> np.ndarray:
    """0 to 255 from one corner to the other [H, W], uint8."""
    return (np.add.outer(np.arange(height), np.arange(width)) * 255 // (height + width - 2)).astype(np.uint8)


def deep(pixels: np.ndarray) -> np.ndarray:
    """16 bits, the lower ones no copy of the upper ones."""
    return pixels.astype(np.uint16) * 257 ^ (np.arange(pixels.size) * 37 % 256).reshape(pixels.shape).astype(np.uint16)


def save_palette(path: Path, *, transparent: int | None = None) -> None:
    image = Image.fromarray(crop()[..., 1] // 8, "P")
    image.putpalette([value * 37 % 256 for value in range(32 * 3)])
    image.save(path, **({} if transparent is None else {"transparency": transparent}))


def save_deep_color(path: Path) -> None:
    """Netpbm, which is written in a line."""
    pixels = deep(crop())
    path.write_bytes(b"P6 %d %d 65535 " % pixels.shape[1::-1] + pixels.astype(">u2").tobytes())


def save_deep_alpha(path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    assert cv2.imwrite(str(path), deep(np.dstack([crop(), ramp(27, 38)])))


def save_frames(path: Path) -> None:
    frames = [Image.fromarray(np.roll(crop(21, 22), 5 * index, axis=1)) for index in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)


def save_turned(path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(crop()).save(path, exif=exif)


PICTURES: dict[str, Callable[[Path], object]] = {
    "rgb.png": lambda path: Image.fromarray(crop()).save(path),
    "rgb.bmp": lambda path: Image.fromarray(crop(33, 31)).save(path),
    "grey.png": lambda path: Image.fromarray(crop()[..., 0]).save(path),
    "grey-alpha.png": lambda path: Image.fromarray(np.dstack([crop()[..., 0], ramp(27, 38)]), "LA").save(path),
    "rgba.png": lambda path: Image.fromarray(np.dstack([crop(), ramp(27, 38)])).save(path),
    "constant-alpha.png": lambda path: Image.fromarray(np.dstack([crop(), np.full((27, 38), 90, np.uint8)])).save(path),
    "palette.png": save_palette,
    "palette-transparent.png": lambda path: save_palette(path, transparent=9),
    "bit.png": lambda path: Image.fromarray(crop()[..., 0] > 90).save(path),
    "grey16.tif": lambda path: Image.fromarray(deep(crop()[..., 0])).save(path),
    "rgb16.ppm": save_deep_color,
    "rgba16.png": save_deep_alpha,
    "turned.png": save_turned,
    "pixel.png": lambda path: Image.new("RGB", (1, 1), (200, 30, 90)).save(path),
    "row.png": lambda path: Image.fromarray(crop(1, 131)).save(path),
    "frames.png": save_frames,
    "half-step.png": lambda path: Image.fromarray(crop()).save(path),
    "streamed.ppm": lambda path: Image.fromarray(np.tile(crop(75, 106), (7, 5, 1))).save(path),
}
OPTIONS = {
    "frames.png": ["--frames", "all"],
    "streamed.ppm": ["--tile", "96"],  # more than 2^18 pixels, which are never passed as a whole
}


def enlarged(folder: Path, name: str, model: str, scale: float) -> Path:
    """The file that `scales upscale` makes."""
    PICTURES[name](folder / name)
    output = folder / f"large-{name}"
    options = ["-m", model, "-s", str(scale), "-o", str(output), "-q", *OPTIONS.get(name, ())]
    assert main(["upscale", str(folder / name), *options]) == 0
    return output


def digest(path: Path) -> str:
    """SHA-256 of a file's pixels, of each frame: shape, type, samples in little-endian order."""
    result = hashlib.sha256()
    with Image.open(path) as image:
        count = getattr(image, "n_frames", 1)
        frames = [read_image(path).pixels] if count == 1 else []
        for index in range(count if count > 1 else 0):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGBA")))
    for pixels in frames:
        result.update(f"{list(pixels.shape)} {pixels.dtype}".encode())
        result.update(pixels.astype(pixels.dtype.newbyteorder("<")).tobytes())
    return result.hexdigest()


@pytest.mark.parametrize(
    ("model", "name"),
    [(model, name) for model in MODELS for name in PICTURES if name != "streamed.ppm" or "tiny" in model],
)
def test_pixels_are_the_stored_ones(model, name, golden, tmp_path):
    scale = MODELS[model] - (0.5 if name == "half-step.png" else 0)
    golden.check_digest(model, name, digest(enlarged(tmp_path, name, model, scale)))


def test_stored_results_are_of_shipped_models(golden):
    golden.check_names(set(MODELS), set(PICTURES))


@pytest.mark.parametrize("model", TORCH_MODELS)
def test_pixels_of_torch_are_close_to_the_stored_ones(model, golden, tmp_path):
    pytest.importorskip("torch")
    output = enlarged(tmp_path, "rgb.png", model, TORCH_MODELS[model])
    golden.check_picture(model, read_image(output).pixels, least_psnr=50)
