"""The Laplacian pyramid of a gradient: Burt and Adelson's (1983) with their 5-tap kernel [1 4 6 4 1]/16.

It reflects at the borders, or goes round where the `edges` say so, and `merge(split(x, n))` is `x`. Tensors are
(B, C, H, W) of any size from 3 px up, odd ones too; a side along which it goes round is even.

Written here since kornia's `pyrdown` floors odd sizes and interpolates after the blur, and has no exact inverse.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.image import OPEN, Edges
from dreamer.image.bands import bands
from dreamer.image.edges import around
from dreamer.image.storage import empty

SMALLEST_BAND = 8  # px: bands stop before a side falls under this
_BAND = 1 << 17  # pixels at a time: a large picture has no room for temporaries of its size


def reduce(image: Tensor, edges: Edges = OPEN) -> Tensor:
    """Blur with [1 4 6 4 1]/16 in both directions and keep every second pixel: (..., ceil(H/2), ceil(W/2))."""
    height, width = image.shape[-2:]
    coarse = empty((*image.shape[:-2], -(-height // 2), -(-width // 2)), image)
    for rows in bands(coarse.shape[-2], width, _BAND):
        seen = torch.arange(2 * rows.start - 2, 2 * rows.stop + 1, device=image.device)
        inside = torch.minimum(seen.abs(), 2 * (height - 1) - seen.abs())
        part = image.index_select(-2, seen % height if edges.y else inside)
        part = F.pad(part, (2, 1 + width % 2, 0, 0), mode="circular" if edges.x else "reflect")
        coarse[..., rows, :] = _reduce(_reduce(part, -2), -1)
    return coarse


def add_expanded(fine: Tensor, coarse: Tensor, alpha: float = 1.0, edges: Edges = OPEN) -> Tensor:
    """fine += alpha * expand(coarse), in place: the transpose of `reduce`, times 4, written phase by phase."""
    (height, width), count = fine.shape[-2:], coarse.shape[-2]
    for rows in bands(count, width, _BAND):
        part = fine[..., 2 * rows.start : 2 * rows.stop, :]
        seen = torch.arange(rows.start - 1, rows.stop + 1, device=fine.device)
        inside = torch.where(seen == count, _after(count, height), seen.abs())
        seen = seen % count if edges.y else inside
        for y, lines in enumerate(_phases(coarse.index_select(-2, seen), -2, part.shape[-2])):
            behind = lines.narrow(-1, _after(lines.shape[-1], width), 1)
            if edges.x:
                lines = around(lines, -1, (-1, lines.shape[-1] + 1))
            else:
                lines = torch.cat([lines.narrow(-1, 1, 1), lines, behind], -1)
            for x, values in enumerate(_phases(lines, -1, width)):
                part[..., y::2, x::2].add_(values, alpha=alpha)
    return fine


def split(image: Tensor, levels: int, edges: Edges = OPEN) -> list[Tensor]:
    """`levels` detail bands, fine to coarse, and the low residual last; fewer where a side would fall under 8 px.

    There are fewer, too, where a side along which the picture goes round is odd.

    Overwrites `image`, in whose place the finest band comes: a large picture has no room for both.
    """
    bands = []
    for _ in range(levels):
        odd = any(round_ and image.shape[dim] % 2 for dim, round_ in edges.axes())
        if odd or min(image.shape[-2:]) < 2 * SMALLEST_BAND:
            break
        coarse = reduce(image, edges)
        bands.append(add_expanded(image, coarse, -1.0, edges))
        image = coarse
    return [*bands, image]


def merge(bands: list[Tensor], edges: Edges = OPEN) -> Tensor:
    """The picture whose bands these are; overwrites the bands."""
    image = bands[-1]
    for band in reversed(bands[:-1]):
        image = add_expanded(band, image, edges=edges)
    return image


def _reduce(padded: Tensor, dim: int) -> Tensor:
    """Blur and halve along one axis, which has two samples before the first and one or two after the last."""
    taps = padded.unfold(dim, 5, 2).unbind(-1)
    result = taps[2] * (6 / 16)
    result.add_(taps[1], alpha=4 / 16).add_(taps[3], alpha=4 / 16)
    return result.add_(taps[0], alpha=1 / 16).add_(taps[4], alpha=1 / 16)


def _after(count: int, size: int) -> int:
    """The index of the sample after the last of `count`, which is mirrored about the last pixel of the fine grid."""
    return count - 1 - size % 2


def _phases(padded: Tensor, dim: int, size: int) -> tuple[Tensor, Tensor]:
    """The even and the odd samples of the expansion to `size` along `dim`: (1 6 1)/8 and (4 4)/8.

    `padded` has one more sample on either side.
    """
    count = padded.shape[dim] - 2
    left, middle, right = (padded.narrow(dim, start, count) for start in range(3))
    even = (middle * 0.75).add_(left, alpha=0.125).add_(right, alpha=0.125)
    odd = ((middle + right) * 0.5).narrow(dim, 0, size // 2)
    return even, odd
