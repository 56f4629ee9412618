"""The first convolution of a network, whose gradient a CPU computes for blocks of pixels at once.

A picture has three channels, and a CPU computes sixteen at a time. The channels of all pixels of a block, 2x2 or as
many as the stride, are as many as it wants; and where the convolution has a stride, the pixels of a block differ in
the weights that they have met, so that nothing is multiplied by the zeros between the positions. That is the
convolution of sub-pixels (Shi 2016), backwards: the same gradient, in a third to two thirds of the time.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CHANNELS = 4  # at most: RGB, and what is laid beside it


class Stem(nn.Conv2d):
    """A convolution whose gradient in its input is fast on a CPU."""

    @staticmethod
    def may_replace(module: nn.Module) -> bool:
        """Whether a module may become one, by its class alone: all that it holds stays as it is."""
        return (
            type(module) is nn.Conv2d
            and module.in_channels <= _CHANNELS
            and module.groups == 1
            and module.padding_mode == "zeros"
            and module.dilation == (1, 1)
            and not isinstance(module.padding, str)
            and all(down == across for down, across in (module.kernel_size, module.stride, module.padding))
            and module.kernel_size > module.stride
        )

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> what a convolution gives."""
        if not (seen.is_cpu and seen.requires_grad and torch.is_grad_enabled()):
            return super().forward(seen)
        found: Tensor = _Stem.apply(seen, self.weight, self.bias, self.stride[0], int(self.padding[0]))
        return found


class _Stem(torch.autograd.Function):
    """The convolution as torch's, its gradient by blocks. torch.func goes through it: `vmap`, `grad`, `jvp`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(seen: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
        return F.conv2d(seen, weight, bias, stride, padding)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        seen, weight, _, ctx.stride, ctx.padding = inputs
        ctx.size = seen.shape[-2:]
        ctx.save_for_backward(weight)
        ctx.save_for_forward(weight)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return F.conv2d(tangents[0], ctx.saved_tensors[0], None, ctx.stride, ctx.padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Pixel r of block b, b * block + r, is seen by the positions o for which o * stride - padding <= it."""
        (gradient,), (weight,) = gradients, ctx.saved_tensors
        weight = weight.to(gradient.dtype)  # within autocast it need not be the same
        stride, padding, kernel = ctx.stride, ctx.padding, weight.shape[-1]
        block = max(2, stride)
        step = block // stride  # positions from one block to the next
        first = -((kernel - 1 - padding) // stride)  # of the positions that see block 0
        count = (block - 1 + padding) // stride - first + 1
        # taps[r, a]: with which of its weights, along an axis, position first + a of a block sees its pixel r.
        taps = torch.arange(block)[:, None] + padding - (first + torch.arange(count)) * stride
        taps = taps.where((taps >= 0) & (taps < kernel), kernel).to(weight.device)  # the last is none
        seen_by = F.pad(weight, (0, 1, 0, 1))[:, :, taps][..., taps]  # (out, in, r, a, r, a)
        kernels = seen_by.permute(1, 2, 4, 0, 3, 5).reshape(-1, len(weight), count, count)
        blocks = [-(-side // block) for side in ctx.size]
        beyond = [(n - 1) * step + first + count - side for n, side in zip(blocks, gradient.shape[-2:], strict=True)]
        edge = max(0, -first, *beyond)
        edge += (edge + first) % step
        skipped = (edge + first) // step  # blocks before the first: one edge for all sides needs no copy
        spread = F.conv2d(gradient, kernels.contiguous(memory_format=torch.channels_last), None, step, edge)
        inside = spread[..., skipped : skipped + blocks[0], skipped : skipped + blocks[1]]
        whole = F.pixel_shuffle(inside, block)[..., : ctx.size[0], : ctx.size[1]]
        return whole, None, None, None, None
