"""Convolutions of 3x3 weights with down to a fifth of the multiplications, where that is the fastest way on a CPU.

Winograd's minimal filtering (Lavin and Gray 2016) computes 6x6 positions from 8x8 of their input with one product per
value and pair of channels: 64 instead of 324. torch has it from NNPACK, and does not choose it by itself. The results
agree to five digits, in half of the time; the gradient is a convolution of the same kind. It rounds a little
differently from place to place: which of equal values a pooling chooses, as over a flat area, is chance.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Its time as a share of a usual convolution's, fitted to measured ones of 16 to 512 channels and 8x8 to 171x256
# positions: a constant, its transforms of the channels, and those of the weights.
_PRODUCTS, _CHANNELS, _POSITIONS = 0.33, 17, 500
_WORTH = 0.83  # at most, for it to pay
_THREADS = 8  # at most: NNPACK makes no use of more
_ROWS = 4  # of pixels are transposed at once, which stay in the cache


class Winograd(nn.Conv2d):
    """A convolution that is fast on a CPU in float32, forwards and backwards.

    Attributes:
        planes: Whether it gives one channel after the other, as NNPACK does, instead of channels last.
    """

    planes = False

    @staticmethod
    def may_replace(module: nn.Module) -> bool:
        """Whether a module may become one, by its class alone: all that it holds stays as it is."""
        return (
            type(module) is nn.Conv2d
            and module.kernel_size == (3, 3)
            and module.stride == module.dilation == (1, 1)
            and module.groups == 1
            and module.padding in ((0, 0), (1, 1), (2, 2))
            and module.padding_mode == "zeros"
        )

    def forward(self, seen: Tensor) -> Tensor:
        """(B, C, h, w) -> what a convolution gives."""
        if not self._pays(seen):
            return super().forward(seen)
        found: Tensor = _Winograd.apply(seen, self.weight, self.bias, int(self.padding[0]), self.planes)
        return found

    def _pays(self, seen: Tensor) -> bool:
        if (
            torch.compiler.is_compiling()
            or torch._C._are_functorch_transforms_active()
            or torch.is_autocast_enabled("cpu")
            or type(seen) not in (Tensor, nn.Parameter)  # others may have no values
            or not seen.is_cpu
            or not seen.dtype == self.weight.dtype == torch.float32
            or seen.ndim != 4
            or seen.shape[1] != self.in_channels
            or any(learnt.requires_grad for learnt in self.parameters(recurse=False))
            or torch.get_num_threads() > _THREADS
            or not is_fast()
        ):
            return False
        count, positions = len(seen), [side + 2 * int(self.padding[0]) - 2 for side in seen.shape[2:]]
        if min(count, *positions) < 1:  # nothing to compute, or torch says what is wrong
            return False
        channels = 1 / self.in_channels + 1 / self.out_channels
        return _PRODUCTS + _CHANNELS * channels + _POSITIONS / math.prod(positions) <= _WORTH


def keep_planes(module: nn.Module) -> None:
    """Let those that follow each other in a sequence, as in VGG, hand on their results as they are."""
    for sequence in module.modules():
        if isinstance(sequence, nn.Sequential):
            follows = False
            for part in reversed([*sequence.children()]):
                if isinstance(part, Winograd):
                    part.planes, follows = follows, True
                elif not isinstance(part, (nn.ReLU, nn.Identity)):
                    # Pooling of windows that overlap is slow unless channels are last.
                    follows = follows and isinstance(part, nn.MaxPool2d) and part.kernel_size == part.stride


@cache
def is_fast() -> bool:
    """Whether torch has it and the processor suits it.

    It computes with 256 bits at once. Where a processor has 512 bits at full width (Intel's, and AMD's since Zen 5), a
    usual convolution takes half of the time, too.
    """
    has: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # not every torch tells
    zen4 = has.get("sse4a") and not has.get("avx_vnni")
    suits = has.get("avx2") and has.get("fma3") and (zen4 or not has.get("avx512_f"))
    # Where it does not, asking for NNPACK would print a warning.
    return bool(suits) and torch.backends.nnpack.is_available()  # type: ignore[no-untyped-call]


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(seen: Tensor, weight: Tensor, bias: Tensor | None, padding: int, planes: bool) -> Tensor:
        weight = weight.contiguous()
        # One picture after the other: for several at once NNPACK is no faster than usual.
        each = [torch._nnpack_spatial_convolution(one[None], weight, bias, padding) for one in _planes(seen)]
        found = each[0] if len(each) == 1 else torch.cat(each)
        return found if planes else found.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        seen, weight, _, ctx.padding, _ = inputs
        ctx.planes = seen.is_contiguous()
        ctx.save_for_backward(weight)
        ctx.save_for_forward(weight)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return F.conv2d(tangents[0], ctx.saved_tensors[0], None, 1, ctx.padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        turned = ctx.saved_tensors[0].transpose(0, 1).flip(2, 3)
        return _Winograd.apply(gradients[0], turned, None, 2 - ctx.padding, ctx.planes), None, None, None, None


def _planes(seen: Tensor) -> Tensor:
    """The same with one channel after the other, as NNPACK wants it."""
    if seen.is_contiguous():
        return seen
    planes = seen.new_empty(seen.shape)
    for top in range(0, seen.shape[-2], _ROWS):
        planes[..., top : top + _ROWS, :] = seen[..., top : top + _ROWS, :]
    return planes
