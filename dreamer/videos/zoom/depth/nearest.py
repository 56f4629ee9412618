"""The nearest of some pixels to each pixel of a picture, by jump flooding (Rong and Tan 2006)."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor


def nearest(seeds: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The row and column of each pixel's nearest seed, each (h, w); far away for pixels near none.

    `seeds` (h, w) is true or false; they matter up to `reach` pixels away.
    """
    height, width = seeds.shape
    rows, columns = torch.arange(height)[:, None].expand(height, width), torch.arange(width).expand(height, width)
    nowhere = 4 * max(height, width)
    down, right = (torch.where(seeds, each, -nowhere) for each in (rows, columns))
    best = (down - rows).square() + (right - columns).square()
    jump = 1
    while jump < reach:
        jump *= 2
    while jump:
        for above, left in product((-jump, 0, jump), repeat=2):
            there, here = _overlap(above, height), _overlap(left, width)
            if above == left == 0 or there is None or here is None:
                continue
            (to_rows, from_rows), (to_columns, from_columns) = there, here
            theirs = down[from_rows, from_columns], right[from_rows, from_columns]
            away = (theirs[0] - rows[to_rows, to_columns]).square() + (
                theirs[1] - columns[to_rows, to_columns]
            ).square()
            nearer = away < best[to_rows, to_columns]
            for mine, new in ((down, theirs[0]), (right, theirs[1]), (best, away)):
                part = mine[to_rows, to_columns]
                part.copy_(torch.where(nearer, new, part))
        jump //= 2
    return down, right


def _overlap(shift: int, length: int) -> tuple[slice, slice] | None:
    """The places of a line that have a pixel `shift` further on, and these pixels."""
    if abs(shift) >= length:
        return None
    return slice(max(0, -shift), length - max(0, shift)), slice(max(0, shift), length - max(0, -shift))
