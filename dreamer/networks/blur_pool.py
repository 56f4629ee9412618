"""BlurPool (Zhang 2019): half as wide and high without a grid in the gradient, by a blur, then every second position.

kornia's BlurPool2D pads with zeros, which darkens the borders; this one mirrors, and its gradient is fast on a CPU.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from dreamer.networks.prepare import bfloat16_pays
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
    halved: Tensor = _BlurPool.apply(seen)
    return halved


class _BlurPool(torch.autograd.Function):
    """The blur as a convolution of single channels, and its gradient as what that is: enlargement by bilinear weights.

    The convolution's own gradient takes a CPU many times as long, in bfloat16 above all. torch.func goes through it,
    too: `vmap`, `grad`, `jvp`.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(seen: Tensor) -> Tensor:
        height, width = seen.shape[-2:]
        able = seen.itemsize >= 4 or (seen.dtype == torch.bfloat16 and bfloat16_pays("cpu"))
        wide = seen if able or not seen.is_cpu else seen.float()  # few CPUs convolve half precision
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=wide.dtype, device=seen.device) / 8
        kernel = (taps[:, None] * taps).expand(seen.shape[1], 1, 4, 4)
        mirrored = F.pad(wide, (1, 1 + width % 2, 1, 1 + height % 2), mode="reflect")
        return F.conv2d(mirrored, kernel, stride=2, groups=seen.shape[1]).to(seen.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.size = inputs[0].shape[-2:]

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        return _BlurPool.forward(tangents[0])  # a blur is linear

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Each position spreads its gradient by [1 3 3 1] / 8; what falls beyond the borders comes back mirrored."""
        gradient = F.pad(gradients[0] / 4, (1, 1, 1, 1))
        whole = F.interpolate(gradient, scale_factor=2, mode="bilinear", align_corners=False)
        for dim, count in zip((2, 3), ctx.size, strict=True):
            for beyond in (-1, count, count + 1)[: 2 + count % 2]:
                inside = -beyond if beyond < 0 else 2 * (count - 1) - beyond
                whole.select(dim, inside + 2).add_(whole.select(dim, beyond + 2))
        return whole[..., 2 : ctx.size[0] + 2, 2 : ctx.size[1] + 2]
