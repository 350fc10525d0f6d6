"""Makes before-after.png beside it, the first picture of the README: run it again for another default model.

The photograph is coded as people have theirs. Its detail is enlarged bicubically, and by what `scales upscale` takes.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

import scales_cli
from scales_cli.engine.composition import upscale_bicubic
from scales_cli.imaging.files import read_image

FOLDER = Path(__file__).parent
QUALITY = 50
LEFT, TOP, WIDTH, HEIGHT = 0, 60, 106, 100  # of the detail, in pixels of the photograph
SCALE = 4

coded, large = io.BytesIO(), io.BytesIO()
with Image.open(FOLDER.parent / "tests/data/parrots.png") as photograph:
    photograph.save(coded, "JPEG", quality=QUALITY)
result = scales_cli.upscale_file(coded.getvalue(), large, scale=SCALE, format="png")
pictures = (upscale_bicubic(read_image(coded.getvalue()).pixels, SCALE), read_image(large.getvalue()).pixels)
rows, columns = (slice(SCALE * first, SCALE * (first + size)) for first, size in ((TOP, HEIGHT), (LEFT, WIDTH)))
both = np.concatenate([picture[rows, columns] for picture in pictures], axis=1)
Image.fromarray(both).save(FOLDER / "before-after.png", optimize=True)
print(result.model, result.strength)  # noqa: T201
