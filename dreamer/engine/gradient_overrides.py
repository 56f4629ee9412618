"""Changes to the way that gradients take back through a network, for clearer pictures.

The features stay the same but for the weights' noise; only their gradients change. The pictures then tell less exactly
what the network does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dreamer.engine.step import Step

_EPS = 1e-2  # as in Lucid


@dataclass(frozen=True)
class GradientOverrides:
    """Which gradients of a network are overridden, and whether its weights vary.

    Attributes:
        redirect: For so many steps at the start of a dream, a ReLU that would let no gradient through lets through what
            opens it (Lucid's `redirected_relu_grad`: 16).
        smooth_pooling: Max-pooling spreads its gradient over its whole window, in proportion to the values (Lucid).
        weight_noise: At every step each weight is multiplied by a number from N(1, weight_noise^2) (NoiseGrad, Bykov
            2021).
    """

    redirect: int = 0
    smooth_pooling: bool = False
    weight_noise: float = 0.0

    def redirects(self, step: Step) -> bool:
        """Whether ReLU gradients are redirected at this step, counted over all octaves."""
        return step.earlier + step.number < self.redirect

    @contextmanager
    def applied_to(self, module: nn.Module, step: Step) -> Iterator[None]:
        """Apply the overrides to `module` within the block, forward and backward; it is left as it was."""
        kept = [(weight, weight.data) for weight in module.parameters()] if self.weight_noise else []
        try:
            for weight, values in kept:
                weight.data = values * (1 + self.weight_noise * torch.randn_like(values))
            with _Overridden(self.redirects(step), self.smooth_pooling):
                yield
        finally:
            for weight, values in kept:
                weight.data = values


class _Overridden(TorchFunctionMode):
    """Every ReLU and max-pooling that runs within it is replaced by one with another gradient."""

    def __init__(self, redirect: bool, smooth: bool) -> None:
        super().__init__()
        self.redirect, self.smooth = redirect, smooth

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.redirect and func.__name__ in ("relu", "relu_"):
            return _RedirectedReLU.apply(args[0] if args else kwargs["input"], math.inf)
        if self.redirect and func is F.hardtanh and kwargs.get("min_val") == 0:  # as nn.ReLU6 calls it
            return _RedirectedReLU.apply(args[0] if args else kwargs["input"], kwargs["max_val"])
        if self.smooth and func in (F.max_pool2d, torch.max_pool2d):
            return _smooth_max_pool(func, *args, **kwargs)
        return func(*args, **kwargs)


class _RedirectedReLU(torch.autograd.Function):
    """A ReLU with another gradient for pictures of which none would come through.

    There the gradient of closed units passes where it pushes them towards opening. With a finite `top` it is a ReLU6,
    which is closed from `top` on, too.
    """

    @staticmethod
    def forward(ctx: Any, seen: Tensor, top: float) -> Tensor:
        ctx.save_for_backward(seen)
        ctx.top = top
        return seen.clamp(0, top)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (seen,) = ctx.saved_tensors
        # torch's own backward: a mask takes several times as long
        usual: Tensor = torch.ops.aten.hardtanh_backward(gradient, seen, 0, ctx.top)
        within = tuple(range(1, seen.ndim))
        passes = (usual.amax(within, keepdim=True) > 0) | (usual.amin(within, keepdim=True) < 0)
        if passes.all():  # as nearly always
            return usual, None
        low, high = seen <= 0, seen >= ctx.top
        redirected = gradient.masked_fill(low & (gradient < 0) | high & (gradient > 0), 0)
        return torch.where(passes, usual, redirected), None


def _smooth_max_pool(
    func: Callable[..., Any],
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Max-pooling with the gradient of mean(a^2) / (0.01 + mean |a|) over the same windows."""
    if return_indices or dilation not in (1, (1, 1)):
        return func(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=return_indices)
    windows = (kernel_size, stride, padding, ceil_mode, False)
    smooth = F.avg_pool2d(input.square(), *windows) / (_EPS + F.avg_pool2d(input.abs(), *windows))
    hard = func(input.detach(), kernel_size, stride, padding, dilation, ceil_mode)
    return hard + (smooth - smooth.detach())
