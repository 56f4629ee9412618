"""The Laplacian pyramid of a gradient: Burt and Adelson's (1983) with their 5-tap kernel [1 4 6 4 1]/16.

It reflects at the borders, and `merge(split(x, n))` is `x`. Tensors are (B, C, H, W) of any size from 3 px up, odd ones
too.

Written here since kornia's `pyrdown` floors odd sizes and interpolates after the blur, and has no exact inverse.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST_BAND = 8  # px: bands stop before a side falls under this


def reduce(image: Tensor) -> Tensor:
    """Blur with [1 4 6 4 1]/16 in both directions and keep every second pixel: (..., ceil(H/2), ceil(W/2))."""
    height, width = image.shape[-2:]
    around = (2, 1 + width % 2, 2, 1 + height % 2)
    return _reduce(_reduce(F.pad(image, around, mode="reflect"), -2), -1)


def add_expanded(fine: Tensor, coarse: Tensor, alpha: float = 1.0) -> Tensor:
    """fine += alpha * expand(coarse), in place: the transpose of `reduce`, times 4, written phase by phase.

    Phase by phase, since a picture-sized temporary is what large pictures cannot afford.
    """
    height, width = fine.shape[-2:]
    for y, rows in enumerate(_phases(coarse, -2, height)):
        for x, values in enumerate(_phases(rows, -1, width)):
            fine[..., y::2, x::2].add_(values, alpha=alpha)
    return fine


def split(image: Tensor, levels: int) -> list[Tensor]:
    """`levels` detail bands, fine to coarse, and the low residual last; fewer where a side would fall under 8 px.

    Overwrites `image`, in whose place the finest band comes: a large picture has no room for both.
    """
    bands = []
    for _ in range(levels):
        if min(image.shape[-2:]) < 2 * SMALLEST_BAND:
            break
        coarse = reduce(image)
        bands.append(add_expanded(image, coarse, -1.0))
        image = coarse
    return [*bands, image]


def merge(bands: list[Tensor]) -> Tensor:
    """The picture whose bands these are; overwrites the bands."""
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = add_expanded(band, image)
    return image


def _reduce(padded: Tensor, dim: int) -> Tensor:
    """Blur and halve along one axis, which has two samples before the first and one or two after the last."""
    taps = padded.unfold(dim, 5, 2).unbind(-1)
    result = taps[2] * (6 / 16)
    result.add_(taps[1], alpha=4 / 16).add_(taps[3], alpha=4 / 16)
    return result.add_(taps[0], alpha=1 / 16).add_(taps[4], alpha=1 / 16)


def _phases(coarse: Tensor, dim: int, size: int) -> tuple[Tensor, Tensor]:
    """The even and the odd samples of the expansion to `size` along `dim`: (1 6 1)/8 and (4 4)/8."""
    count = coarse.shape[dim]
    # The sample after the last: its mirror image about the fine grid's last pixel.
    after = coarse.narrow(dim, count - 1 - size % 2, 1)
    before = coarse.narrow(dim, 1, 1)
    padded = torch.cat([before, coarse, after], dim)
    left, right = padded.narrow(dim, 0, count), padded.narrow(dim, 2, count)
    even = (coarse * 0.75).add_(left, alpha=0.125).add_(right, alpha=0.125)
    odd = ((coarse + right) * 0.5).narrow(dim, 0, size // 2)
    return even, odd
