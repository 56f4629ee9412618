"""A way up for units that are silent: ReLUs through which the gradient of a dead unit still comes (Olah 2017).

Where a ReLU gives 0 everywhere no gradient passes, and a picture from nothing would stay nothing.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_RELUS = (F.relu, F.relu6, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)


class Redirected(TorchFunctionMode):
    """Inside of the block, a ReLU through which nothing of a picture's gradient comes lets pass what would wake it."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _RELUS:
            return _Relu.apply(args[0] if args else (kwargs or {})["input"], 6.0 if func is F.relu6 else float("inf"))
        return func(*args, **(kwargs or {}))


class _Relu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, seen: Tensor, most: float) -> Tensor:
        ctx.save_for_backward(seen)
        ctx.most = most
        return seen.clamp(0, most)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,), (seen,) = gradients, ctx.saved_tensors
        through = gradient * ((seen > 0) & (seen < ctx.most))
        waking = gradient * ((seen > 0) | (gradient > 0))
        alive = through.flatten(1).any(1).view(-1, *[1] * (seen.ndim - 1))
        return torch.where(alive, through, waking), None
