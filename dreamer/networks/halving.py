"""Halving a feature map without a grid in its gradient: a blur, then every second position (Zhang 2019).

Written here since kornia's `BlurPool2D` pads with zeros, which darkens the borders.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary


class Halve(nn.Module):
    """Blur by [1 3 3 1] / 8 in both directions and keep every second position; mirrors at the borders."""

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, ceil(h / 2), ceil(w / 2)); needs three positions a side."""
        return halve(seen)


def halve(seen: Tensor) -> Tensor:
    """What `Halve` does, as one operation: whoever watches a network's operations sees it under this name."""
    if has_torch_function_unary(seen):
        result: Tensor = handle_torch_function(halve, (seen,), seen)
        return result
    if min(seen.shape[-2:]) < 3:
        raise ValueError(f"{seen.shape[-1]}x{seen.shape[-2]} positions are too few to mirror at the borders")
    halved: Tensor = _Halved.apply(_Halved.apply(seen, 2), 3)
    return halved


class _Halved(torch.autograd.Function):
    """One direction of it, by its even and odd positions.

    By hand, since the gradient of a convolution of single channels costs a CPU, in bfloat16 above all, many times this.
    """

    @staticmethod
    def forward(ctx: Any, seen: Tensor, dim: int) -> Tensor:
        ctx.dim, ctx.shape = dim, seen.shape
        even, odd = _phases(seen, dim)
        result = even * (3 / 8)
        for into, source, weight in _taps(result, even, odd, dim):
            into.add_(source, alpha=weight)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        rows_first = gradient.is_contiguous(memory_format=torch.channels_last)
        whole = gradient.new_empty(ctx.shape).contiguous(
            memory_format=torch.channels_last if rows_first else torch.contiguous_format
        )
        even, odd = _phases(whole, ctx.dim)
        torch.mul(gradient, 3 / 8, out=even)
        odd.zero_()
        for source, into, weight in _taps(gradient, even, odd, ctx.dim):  # the transpose: each tap the other way
            into.add_(source, alpha=weight)
        return whole, None


def _phases(tensor: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    even, odd = [slice(None)] * 4, [slice(None)] * 4
    even[dim], odd[dim] = slice(0, None, 2), slice(1, None, 2)
    return tensor[tuple(even)], tensor[tuple(odd)]


def _taps(half: Tensor, even: Tensor, odd: Tensor, dim: int) -> list[tuple[Tensor, Tensor, float]]:
    """What each part of the halved map takes from the even and odd positions, and how much of it.

    Position k takes 1/8, 3/8, 3/8 and 1/8 of the positions 2k - 1 ... 2k + 2 (the first 3/8, at 2k, is not told of
    here); beyond the borders those mirrored about the first and last position.
    """
    count, odds = half.shape[dim], odd.shape[dim]
    taps = [
        (half.narrow(dim, 0, odds), odd, 3 / 8),
        (half.narrow(dim, 1, count - 1), odd.narrow(dim, 0, count - 1), 1 / 8),
        (half.narrow(dim, 0, 1), odd.narrow(dim, 0, 1), 1 / 8),
        (half.narrow(dim, 0, count - 1), even.narrow(dim, 1, count - 1), 1 / 8),
        (half.narrow(dim, count - 1, 1), even.narrow(dim, odds - 1, 1), 1 / 8),
    ]
    if count > odds:
        taps.append((half.narrow(dim, count - 1, 1), odd.narrow(dim, odds - 1, 1), 3 / 8))
    return taps
