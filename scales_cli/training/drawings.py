"""Drawn tiles for training: pages of text, line art and interfaces, which photographs hardly hold."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TILE = 480  # pixels of a tile's side; 2, 3 and 4 divide it
OVERSAMPLE = 2  # tiles are drawn larger and reduced, so that edges fall anywhere between pixels
LETTERS = string.ascii_letters + string.digits + " " * 12 + ".,;:!?()%&-+=/"

Color = tuple[int, int, int]


def draw_tiles(count: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """RGB tiles [TILE, TILE, 3], the same for the same seed."""
    kinds: tuple[Callable[[ImageDraw.ImageDraw, np.random.Generator, Color], None], ...] = (page, line_art, interface)
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        paper = _paper(rng)
        image = Image.new("RGB", (OVERSAMPLE * TILE, OVERSAMPLE * TILE), paper)
        kinds[index % len(kinds)](ImageDraw.Draw(image), rng, paper)
        yield np.array(image.resize((TILE, TILE), Image.Resampling.BOX))


def page(draw: ImageDraw.ImageDraw, rng: np.random.Generator, paper: Color) -> None:
    """Lines of words in a few sizes, dark on light or light on dark."""
    ink, y = _ink(paper, rng), 10
    while y < OVERSAMPLE * TILE:
        size = int(rng.integers(18, 72))
        draw.text((int(rng.integers(-80, 40)), y), _words(rng, 80), ink, _font(size))
        y += int(size * rng.uniform(1.1, 1.6))


def line_art(draw: ImageDraw.ImageDraw, rng: np.random.Generator, paper: Color) -> None:
    """Curves, polygons and hatching over flat colours."""
    side = OVERSAMPLE * TILE
    for _ in range(int(rng.integers(6, 16))):
        corners = [tuple(map(int, corner)) for corner in rng.integers(-50, side + 50, (int(rng.integers(3, 7)), 2))]
        draw.polygon(corners, fill=_color(rng), outline=_color(rng, 60), width=int(rng.integers(1, 8)))
    for _ in range(int(rng.integers(10, 30))):
        box = sorted(rng.integers(-100, side + 100, 2)), sorted(rng.integers(-100, side + 100, 2))
        start, end = rng.uniform(0, 360), rng.uniform(60, 360)
        frame = (int(box[0][0]), int(box[1][0]), int(box[0][1]) + 1, int(box[1][1]) + 1)
        draw.arc(frame, start, start + end, _color(rng, 60), int(rng.integers(2, 9)))
    x, y = rng.integers(0, side, 2)
    for offset in range(0, int(rng.integers(100, 400)), int(rng.integers(6, 20))):
        draw.line((int(x) + offset, int(y), int(x) + offset + 120, int(y) + 200), _color(rng, 40), 3)


def interface(draw: ImageDraw.ImageDraw, rng: np.random.Generator, paper: Color) -> None:
    """Windows with bars, buttons and small text, edges on whole pixels."""
    side = OVERSAMPLE * TILE
    for _ in range(int(rng.integers(4, 9))):
        left, top = (OVERSAMPLE * int(value) for value in rng.integers(-40, TILE - 80, 2))
        right, bottom = left + int(rng.integers(200, 700)), top + int(rng.integers(150, 500))
        draw.rounded_rectangle((left, top, right, bottom), int(rng.integers(0, 24)), _color(rng), _color(rng, 90), 2)
        draw.rectangle((left + 4, top + 4, right - 4, top + 44), _color(rng))
        draw.text((left + 12, top + 8), _words(rng, 18), _color(rng, 60), _font(26))
        for y in range(top + 60, min(bottom - 30, side), int(rng.integers(30, 60))):
            draw.text((left + 14, y), _words(rng, 30), _color(rng, 80), _font(int(rng.integers(18, 30))))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _words(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list(LETTERS), length))


def _paper(rng: np.random.Generator) -> Color:
    light = int(rng.integers(225, 256)) if rng.random() < 0.7 else int(rng.integers(0, 60))
    return _near(rng, light)


def _ink(paper: Color, rng: np.random.Generator) -> Color:
    """Dark on light paper, light on dark."""
    return _near(rng, int(rng.integers(0, 80) if sum(paper) > 380 else rng.integers(180, 256)))


def _near(rng: np.random.Generator, light: int) -> Color:
    red, green, blue = np.clip(light + rng.integers(-12, 13, 3), 0, 255)
    return int(red), int(green), int(blue)


def _color(rng: np.random.Generator, most: int = 256) -> Color:
    red, green, blue = rng.integers(0, most, 3)
    return int(red), int(green), int(blue)
