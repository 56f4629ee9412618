"""Moving a picture's pixels, and the gradient back, with no more than one other picture in memory.

torch keeps the moved picture for the way back, where nothing but the places is needed.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.image import OPEN, Edges
from dreamer.image.bands import bands
from dreamer.image.edges import around
from dreamer.image.storage import empty, is_large


def rolled(picture: Tensor, down: int, right: int) -> Tensor:
    """The picture (B, C, H, W) moved by so many pixels; what leaves it comes in at the other side."""
    moved: Tensor = _Rolled.apply(picture, down, right)
    return moved


def sampled(picture: Tensor, places: Tensor, edges: Edges = OPEN) -> Tensor:
    """The picture (B, C, H, W) as it is at `places` (1, h, w, 2): x and y, -1 in the first pixel, 1 in the last one.

    Between pixels it is interpolated linearly, and it is mirrored at its borders. Where it goes round, 1 is the first
    pixel again.
    """
    for dim, round_ in edges.axes():
        if round_:
            picture = around(picture, dim, (0, picture.shape[dim] + 1))
    found: Tensor = _Sampled.apply(picture, places)
    return found


def added(picture: Tensor, other: Tensor) -> Tensor:
    """The picture (B, C, H, W) with another one, which has no gradient, added to it."""
    both: Tensor = _Added.apply(picture, other)
    return both


class _Added(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, picture: Tensor, other: Tensor) -> Tensor:
        return torch.add(picture, other, out=empty(picture.shape, picture))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Rolled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, picture: Tensor, down: int, right: int) -> Tensor:
        ctx.shift = down, right
        return _roll(picture, down, right)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        down, right = ctx.shift
        return _roll(gradients[0], -down, -right), None, None


def _roll(picture: Tensor, down: int, right: int) -> Tensor:
    height, width = picture.shape[-2:]
    down, right = down % height, right % width
    moved = empty(picture.shape, picture)
    for to, from_ in ((slice(down, None), slice(height - down)), (slice(down), slice(height - down, None))):
        moved[..., to, right:] = picture[..., from_, : width - right]
        moved[..., to, :right] = picture[..., from_, width - right :]
    return moved


class _Sampled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, picture: Tensor, places: Tensor) -> Tensor:
        ctx.shape, ctx.places = picture.shape, places
        batch, channels = picture.shape[:2]
        height, width = places.shape[1:3]
        found = empty((batch, channels, height, width), picture)
        for rows in bands(height, width, 1 << 20):
            there = places[:, rows].expand(batch, -1, -1, -1)
            found[:, :, rows] = F.grid_sample(picture, there, padding_mode="reflection", align_corners=True)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        batch, channels, height, width = ctx.shape
        there = ctx.places.expand(batch, -1, -1, -1)
        back = empty(ctx.shape, gradient)
        each = 1 if is_large(ctx.shape) else channels  # channel by channel: torch makes what it returns in memory
        for first in range(0, channels, each):
            # Of the picture only the size is needed.
            like = gradient.new_empty(1).expand(batch, each, height, width)
            # Given no names, they are gone before the next channel's: torch makes room for the places' gradient, too.
            back[:, first : first + each] = torch.ops.aten.grid_sampler_2d_backward(
                gradient[:, first : first + each], like, there, 0, 2, True, [True, False]
            )[0]
        return back, None
