"""BlurPool (Zhang 2019): half as wide and high without a grid in the gradient, by a blur, then every second position.

kornia's BlurPool2D pads with zeros, which darkens the borders; this one mirrors, and its gradient is fast on a CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from dreamer.networks.receptive_field import padded_window, receptive_field_rule


class BlurPool(nn.Module):
    """Blur by [1 3 3 1] / 8 in both directions and keep every second position; mirrors at the borders."""

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, ceil(h / 2), ceil(w / 2)); raises ValueError below three positions a side."""
        return blur_pool(seen)


@receptive_field_rule(padded_window(4, 2, (1, 2), mirrored=True))
def blur_pool(seen: Tensor) -> Tensor:
    """What `BlurPool` does, as one operation for whoever overrides torch's functions."""
    if has_torch_function_unary(seen):
        result: Tensor = handle_torch_function(blur_pool, (seen,), seen)
        return result
    if min(seen.shape[-2:]) < 3:
        raise ValueError(f"{seen.shape[-1]}x{seen.shape[-2]} positions are too few to mirror at the borders")
    if seen.is_meta:  # its arithmetic would give this shape, too, and take a hundred times as long
        return seen[..., ::2, ::2].clone()
    halved: Tensor = _BlurPool1d.apply(_BlurPool1d.apply(seen, 2), 3)
    return halved


class _BlurPool1d(torch.autograd.Function):
    """BlurPool along one axis, computed from its even and odd positions.

    Not a convolution of single channels, whose gradient takes a CPU many times as long, in bfloat16 above all.
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
        layout = torch.channels_last if rows_first else torch.contiguous_format
        whole = torch.empty(ctx.shape, dtype=gradient.dtype, device=gradient.device, memory_format=layout)
        even, odd = _phases(whole, ctx.dim)
        torch.mul(gradient, 3 / 8, out=even)
        odd.zero_()
        for source, into, weight in _taps(gradient, even, odd, ctx.dim):  # the transpose: each tap the other way
            into.add_(source, alpha=weight)
        return whole, None


def _phases(tensor: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Views of the even and of the odd positions along an axis."""
    even, odd = [slice(None)] * 4, [slice(None)] * 4
    even[dim], odd[dim] = slice(0, None, 2), slice(1, None, 2)
    return tensor[tuple(even)], tensor[tuple(odd)]


def _taps(half: Tensor, even: Tensor, odd: Tensor, dim: int) -> list[tuple[Tensor, Tensor, float]]:
    """The taps of the blur as (views of the halved map, of the even or odd positions, weight).

    Position k takes 1/8, 3/8, 3/8 and 1/8 of the positions 2k - 1 ... 2k + 2, beyond the borders of those mirrored
    about the first and last position. The first 3/8, at 2k, is not among the taps: it is where the sum begins.
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
