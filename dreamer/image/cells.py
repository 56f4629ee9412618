"""A picture on a coarse grid of cells, and softly back from it, band by band: a wide blur in a fraction of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.image.bands import bands
from dreamer.image.edges import OPEN, Edges, around


def pooled(of: Callable[[slice], Tensor], size: tuple[int, int], cell: int) -> Tensor:
    """The means over cells of `cell` pixels a side of a picture of that `size` (height, width).

    `of` gives rows of the picture, (B, C, rows, W).
    """
    height, width = size
    rows = (slice(band.start * cell, band.stop * cell) for band in bands(-(-height // cell), width * cell))
    return torch.cat([F.avg_pool2d(of(each), cell, ceil_mode=True) for each in rows], 2)


def smooth_rows(
    coarse: Tensor, size: tuple[int, int], cell: int, edges: Edges = OPEN
) -> Iterator[tuple[slice, Tensor]]:
    """A picture of that `size` (height, width), bilinear between the middles of its cells: rows, and what they hold."""
    (height, width), count = size, coarse.shape[-2]
    for dim, round_ in edges.axes():
        coarse = around(coarse, dim, (-round_, coarse.shape[dim] + round_))
    for band in bands(count, width * cell):
        top = band.start + edges.y
        first, last = max(0, top - 1), band.stop + edges.y + 1  # what is between cells depends on both
        fine = F.interpolate(coarse[:, :, first:last], scale_factor=cell, mode="bilinear", align_corners=False)
        rows = slice(band.start * cell, min(band.stop * cell, height))
        yield rows, fine.narrow(-2, (top - first) * cell, rows.stop - rows.start).narrow(-1, edges.x * cell, width)
