"""What stands between a dream and its network: gradients that pass where they would end, weights that waver.

The features stay what they are but for the weights' noise; the way back is another one. It makes clearer pictures, and
tells less truly what the network does.
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

from dreamer.step import Step

_EPS = 1e-2  # as in Lucid


@dataclass(frozen=True)
class Lens:
    """How a network is looked through.

    `redirect`: for so many first steps of a dream, a ReLU through which no gradient would pass lets pass what opens it
    (Lucid: 16). `smooth_pooling`: max-pooling hands its gradient to all that it saw, in proportion to what each
    answered (Lucid). `weight_noise`: at every step each weight is multiplied by a number from N(1, weight_noise)
    (NoiseGrad, Bykov 2021).
    """

    redirect: int = 0
    smooth_pooling: bool = False
    weight_noise: float = 0.0

    def redirects(self, step: Step) -> bool:
        """Whether it does at this step, counted over all octaves."""
        return step.octave * step.count + step.number < self.redirect

    @contextmanager
    def before(self, module: nn.Module, step: Step) -> Iterator[None]:
        """Look through it in the block, forward and back; the module is left as it was."""
        kept = [(weight, weight.data) for weight in module.parameters()] if self.weight_noise else []
        try:
            for weight, values in kept:
                weight.data = values * (1 + self.weight_noise * torch.randn_like(values))
            with _OtherWay(self.redirects(step), self.smooth_pooling):
                yield
        finally:
            for weight, values in kept:
                weight.data = values


class _OtherWay(TorchFunctionMode):
    """Every ReLU and max-pooling that runs inside of it has another way back."""

    def __init__(self, redirect: bool, smooth: bool) -> None:
        super().__init__()
        self.redirect, self.smooth = redirect, smooth

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.redirect and func.__name__ in ("relu", "relu_"):
            return _Redirected.apply(args[0] if args else kwargs["input"], math.inf)
        if self.redirect and func is F.hardtanh and kwargs.get("min_val") == 0:  # as nn.ReLU6 calls it
            return _Redirected.apply(args[0] if args else kwargs["input"], kwargs["max_val"])
        if self.smooth and func in (F.max_pool2d, torch.max_pool2d):
            return _pooled(func, *args, **kwargs)
        return func(*args, **kwargs)


class _Redirected(torch.autograd.Function):
    """A ReLU; where nothing of a picture's gradient would come through, all does that closes none further.

    With a `top` it is a ReLU6, which is shut there, too.
    """

    @staticmethod
    def forward(ctx: Any, seen: Tensor, top: float) -> Tensor:
        ctx.save_for_backward(seen)
        ctx.top = top
        return seen.clamp(0, top)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (seen,) = ctx.saved_tensors
        usual: Tensor = (  # torch's own way back: a mask costs several times its time
            torch.ops.aten.threshold_backward(gradient, seen, 0)
            if ctx.top == math.inf
            else torch.ops.aten.hardtanh_backward(gradient, seen, 0, ctx.top)
        )
        within = tuple(range(1, seen.ndim))
        passes = (usual.amax(within, keepdim=True) > 0) | (usual.amin(within, keepdim=True) < 0)
        if passes.all():  # as nearly always
            return usual, None
        low, high = seen <= 0, seen >= ctx.top
        redirected = gradient.masked_fill(low & (gradient < 0) | high & (gradient > 0), 0)
        return torch.where(passes, usual, redirected), None


def _pooled(
    func: Callable[..., Any],
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Max-pooling whose gradient is that of mean(a^2) / (0.01 + mean |a|) over the same windows."""
    if return_indices or dilation not in (1, (1, 1)):
        return func(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=return_indices)
    windows = (kernel_size, stride, padding, ceil_mode, False)
    smooth = F.avg_pool2d(input.square(), *windows) / (_EPS + F.avg_pool2d(input.abs(), *windows))
    hard = func(input.detach(), kernel_size, stride, padding, dilation, ceil_mode)
    return hard + (smooth - smooth.detach())
