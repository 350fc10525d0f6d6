from bombs.collection import add_repeats, bombs_of, saved

FRAME = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
FULL_BLOCK, SHORT_BLOCK = b"\xff" + b"x" * 255, b"\1x"

bomb = bombs_of("gif")


def gif_with(*parts):
    """A GIF with parts of our own before its frame."""
    data = saved("GIF", mode="L")
    at = 13 + 3 * 2 ** (1 + (data[10] & 7))
    return [data[:at], *parts, data[at:]]


def gif_with_late(*parts):
    data = saved("GIF", mode="L")
    return [data[:-1], *parts, b";"]


add_repeats(bomb, gif_with, comments=b"!\xfe\1x\0", junk=b"\1", controls=b"!\xf9\0")
add_repeats(bomb, lambda blocks: gif_with(b"!\xfe", blocks, b"\0"), comment=FULL_BLOCK, short_blocks=SHORT_BLOCK)
add_repeats(bomb, lambda blocks: gif_with(b"!\xff\x0bSOMEWHAT1.0", blocks, b"\0"), application=FULL_BLOCK)
add_repeats(bomb, gif_with_late, frames=FRAME)
add_repeats(bomb, lambda blocks: gif_with_late(b"!\xfe", blocks, b"\0", FRAME), late_blocks=SHORT_BLOCK)
