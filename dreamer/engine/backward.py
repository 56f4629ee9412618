"""Going back through a graph with a gradient that is known already."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class KnownGradient:
    """A place in a graph from which to go back, once the gradient there is known; the tensor there may be let go of.

    `torch.autograd.grad` takes such a gradient, too, but imports sympy first, to compare two shapes: half a second.

    Args:
        tensor: Requires a gradient.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._given: list[Tensor] = []
        with torch.enable_grad():
            self._root: Tensor = _Given.apply(tensor, self._given)

    def root(self, gradient: Tensor) -> Tensor:
        """A scalar whose gradient at the tensor is `gradient`, of the tensor's shape; good for one pass."""
        self._given.append(gradient)
        return self._root


class _Given(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, given: list[Tensor]) -> Tensor:
        ctx.given = given
        return tensor.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor, None]:
        return ctx.given.pop(), None
