"""Small files of every format that make careless readers take much memory or time. `BOMBS` makes each of any size.

A module holds those of one format, or of some that are alike. What is long is mostly zeros, kept in sparse files.
"""

from bombs import avif, gif, ico, jpeg, jpeg2000, jxl, netpbm, png, tiff, uncompressed, webp  # noqa: F401
from bombs.collection import BOMBS, write_bomb

__all__ = ["BOMBS", "write_bomb"]
