"""A canvas: what an optimiser may change, and how a picture comes of it (Mordvintsev et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

_FLAT = 1e-3


def is_flat(image: Tensor) -> bool:
    """Whether there is nothing in pictures (B, 3, H, W) to begin with: their values hardly differ."""
    return float(image.std()) < _FLAT


@dataclass(frozen=True)
class Canvas:
    """Parameters, and the picture that they show.

    `parameters` are float tensors that an optimiser changes in place; `paint()` gives the picture of what they are now,
    (B, 3, H, W) in [0, 1], differentiable in them. Whatever paints is a canvas: the code of a generator and the
    generator, too.
    """

    parameters: tuple[Tensor, ...]
    paint: Callable[[], Tensor]

    @property
    def count(self) -> int:
        """How many numbers there are to change."""
        return sum(parameter.numel() for parameter in self.parameters)
