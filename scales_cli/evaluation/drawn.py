"""Drawn test pictures: a page, a screenshot, line art, a comic and a slide, as every user of an upscaler has them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE = 384  # pixels; 2, 3 and 4 divide it
OVERSAMPLE = 2

# What stands on the page, for a reader of text to find again. Each word once, none that a dictionary has to guess.
PAGE = (
    "The night train left",
    "Zurich at 21:47 with",
    "eleven passengers and",
    "one grey dog. Nobody",
    "asked why it carried",
    "a small blue ticket,",
    "number 5830, which a",
    "quiet woman had just",
    "folded twice. Beyond",
    "the lake, lights of a",
)

Color = tuple[int, int, int]


def drawn_pictures() -> dict[str, NDArray[np.uint8]]:
    """RGB pictures [SIDE, SIDE, 3] by name, as "drawn-document"."""
    return {f"drawn-{draw.__name__}": _picture(draw) for draw in (document, screenshot, line_art, comic, slide)}


def document(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((0, 0, 2 * SIDE, 2 * SIDE), (252, 251, 247))
    for row, line in enumerate(PAGE):
        draw.text((28, 16 + 74 * row), line, (24, 24, 28), ImageFont.load_default(64))


def screenshot(draw: ImageDraw.ImageDraw) -> None:
    side = 2 * SIDE
    draw.rectangle((0, 0, side, side), (236, 239, 244))
    draw.rectangle((0, 0, side, 64), (46, 52, 64))
    for x, color in ((24, (191, 97, 106)), (64, (235, 203, 139)), (104, (163, 190, 140))):
        draw.ellipse((x, 18, x + 28, 46), color)
    draw.text((160, 14), "Settings - Display", (229, 233, 240), ImageFont.load_default(30))
    for row, label in enumerate(("Brightness", "Night light", "Scale 125 %", "Refresh 60 Hz", "Colour profile")):
        top = 96 + 128 * row
        draw.rounded_rectangle((24, top, side - 24, top + 104), 16, (255, 255, 255), (216, 222, 233), 2)
        draw.text((52, top + 34), label, (59, 66, 82), ImageFont.load_default(32))
        draw.rounded_rectangle((560, top + 34, 640, top + 70), 18, (94, 129, 172) if row % 2 else (200, 205, 214))
        draw.ellipse((606 if row % 2 else 562, top + 36, 638 if row % 2 else 594, top + 68), (255, 255, 255))
        draw.line((660, top + 44, 680, top + 58, 700, top + 44), (120, 130, 150), 4)


def line_art(draw: ImageDraw.ImageDraw) -> None:
    side = 2 * SIDE
    draw.rectangle((0, 0, side, side), (255, 255, 255))
    for ring in range(12):
        reach = 30 + 26 * ring
        draw.ellipse((side / 2 - reach, 300 - reach, side / 2 + reach, 300 + reach), outline=(0, 0, 0), width=3)
    for ray in np.linspace(0, np.pi, 25):
        end = (side / 2 + 700 * np.cos(ray), side - 60 - 500 * np.sin(ray))
        draw.line((side / 2, side - 60, *end), (20, 20, 20), 3)
    draw.line((0, side - 60, side, side - 60), (0, 0, 0), 6)
    for x in range(0, side, 16):
        draw.line((x, side - 56, x - 40, side), (60, 60, 60), 2)


def comic(draw: ImageDraw.ImageDraw) -> None:
    side = 2 * SIDE
    draw.rectangle((0, 0, side, side), (122, 197, 236))
    draw.ellipse((470, 60, 660, 250), (255, 222, 110), (30, 30, 30), 6)
    draw.polygon(((0, 520), (180, 330), (360, 520)), (118, 164, 96), (30, 30, 30), 6)
    hill = ((250, 520), (480, 280), (side, 560), (side, side), (0, side), (0, 520))
    draw.polygon(hill, (96, 140, 84), (30, 30, 30), 6)
    draw.ellipse((120, 400, 360, 660), (248, 208, 176), (30, 30, 30), 7)
    for x in (185, 275):
        draw.ellipse((x - 24, 490, x + 24, 550), (255, 255, 255), (30, 30, 30), 5)
        draw.ellipse((x - 8, 512, x + 12, 540), (40, 60, 120))
    draw.arc((190, 540, 290, 620), 20, 160, (150, 40, 40), 8)
    draw.polygon(((105, 470), (150, 380), (250, 360), (345, 400), (375, 480), (300, 420), (180, 430)), (90, 50, 30))
    draw.rounded_rectangle((400, 330, 740, 450), 50, (255, 255, 255), (30, 30, 30), 6)
    draw.text((440, 358), "Look, hills!", (20, 20, 20), ImageFont.load_default(52))
    for y in range(560, side, 14):
        for x in range(400 + (y // 14 % 2) * 7, side, 14):
            draw.ellipse((x, y, x + 6, y + 6), (52, 92, 60))


def slide(draw: ImageDraw.ImageDraw) -> None:
    side = 2 * SIDE
    draw.rectangle((0, 0, side, side), (20, 32, 74))
    draw.text((40, 30), "Results 2024", (255, 214, 90), ImageFont.load_default(72))
    for row, line in enumerate(("Sales up 12 %", "Costs held", "Two new sites")):
        draw.ellipse((52, 176 + 74 * row, 70, 194 + 74 * row), (255, 255, 255))
        draw.text((92, 152 + 74 * row), line, (240, 240, 250), ImageFont.load_default(48))
    for column, height in enumerate((90, 140, 120, 210, 260, 300)):
        color = (90 + 25 * column, 200 - 20 * column, 220 - 30 * column)
        draw.rectangle((60 + 112 * column, 720 - height, 140 + 112 * column, 720), color)
    draw.line((40, 720, side - 40, 720), (255, 255, 255), 4)


def _picture(draw: Callable[[ImageDraw.ImageDraw], None]) -> NDArray[np.uint8]:
    image = Image.new("RGB", (OVERSAMPLE * SIDE, OVERSAMPLE * SIDE))
    draw(ImageDraw.Draw(image))
    return np.array(image.resize((SIDE, SIDE), Image.Resampling.BOX))
