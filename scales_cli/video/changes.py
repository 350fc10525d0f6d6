"""Where a frame differs from the one before, as the regions that the network has to see again.

With its gates fixed the network is a sliding stencil: where the input has the same bits as far as it sees, so has the
output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scales_cli.backbones.spec import NetworkSpec
from scales_cli.engine.base import Planes, Region

_BLOCK = 16  # pixels on a side, of the finest grid
_MOST_REGIONS = 32  # or the grid is made coarser


def changed_regions(before: Planes | None, after: Planes, spec: NetworkSpec, threads: int) -> list[Region]:
    """Regions that cover all that a network gives otherwise for planes [C, H, W] than for those before; none if equal.

    Those that are large are cut, so that each thread has some.
    """
    _, height, width = after.shape
    whole = Region(0, height, 0, width)
    regions = [whole]
    if before is not None:
        differ = (before != after).any(axis=0)
        if 2 * np.count_nonzero(differ) < differ.size:  # or there is little to be spared
            regions = _merged(_boxes(_reached(differ, spec)), spec)
    if sum(_cost(region, spec) for region in regions) > _cost(whole, spec):
        regions = [whole]
    return [part for region in regions for part in _cut(region, regions, spec, threads)]


def _reached(differ: NDArray[np.bool_], spec: NetworkSpec) -> NDArray[np.uint8]:
    """Where [H, W] the network sees something that is not as it was."""
    import cv2

    reached: NDArray[Any] = differ.view(np.uint8)
    side = 2 * spec.receptive_field + 1
    for shape in ((side, 1), (1, side)):
        reached = cv2.dilate(reached, np.ones(shape, np.uint8))
    return reached


def _boxes(differ: NDArray[np.uint8]) -> list[Region]:
    """Boxes around what hangs together of a mask [H, W], in blocks that are large enough for few boxes."""
    import cv2

    height, width = differ.shape
    block = _BLOCK
    while True:
        padded = np.pad(differ, ((0, -height % block), (0, -width % block)))
        grid = padded.reshape(padded.shape[0] // block, block, padded.shape[1] // block, block).max(axis=(1, 3))
        count, _, boxes, _ = cv2.connectedComponentsWithStats(grid)
        if count <= _MOST_REGIONS + 1:  # the first is what does not differ
            break
        block *= 2
    return [
        Region(block * y, min(block * (y + rows), height), block * x, min(block * (x + columns), width))
        for x, y, columns, rows, _ in boxes[1:].tolist()
    ]


def _merged(regions: list[Region], spec: NetworkSpec) -> list[Region]:
    """The same with fewer boxes, where one around two costs no more than both."""
    done: list[Region] = []
    while regions:
        one = regions.pop()
        for other in done:
            both = Region(
                min(one.top, other.top),
                max(one.bottom, other.bottom),
                min(one.left, other.left),
                max(one.right, other.right),
            )
            if _cost(both, spec) <= _cost(one, spec) + _cost(other, spec):
                done.remove(other)
                regions.append(both)
                break
        else:
            done.append(one)
    return done


def _cut(region: Region, regions: list[Region], spec: NetworkSpec, threads: int) -> list[Region]:
    """A region in as many bands or columns as there are threads, whichever cost less, if it is more than a share."""
    if _cost(region, spec) * threads <= sum(_cost(one, spec) for one in regions):
        return [region]
    top, bottom, left, right = region
    rows, columns = (_ranges(*ends, threads) for ends in ((top, bottom), (left, right)))
    return min(
        [Region(begin, end, left, right) for begin, end in rows],
        [Region(top, bottom, begin, end) for begin, end in columns],
        key=lambda parts: sum(_cost(part, spec) for part in parts) / len(parts),
    )


def _ranges(begin: int, end: int, most: int) -> list[tuple[int, int]]:
    """Up to `most` ranges of about the same length, of half a block at least, or one."""
    count = max(1, min(most, 2 * (end - begin) // _BLOCK))
    return [(begin + (end - begin) * at // count, begin + (end - begin) * (at + 1) // count) for at in range(count)]


def _cost(region: Region, spec: NetworkSpec) -> int:
    """Pixels that a layer computes, its halo included, which shrinks by a row a layer above and below."""
    return (region.bottom - region.top + spec.n_convs) * (region.right - region.left + 2 * spec.receptive_field)
