"""Similarities of the plane (scale, rotation and shift) as complex functions z -> factor z + shift."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Places = tuple[Tensor, Tensor]
"""The places at which a picture's pixels look: x and y, each (h, w), in pixels from its centre."""


@dataclass(frozen=True)
class Similarity:
    """z -> factor z + shift, where z = x + iy counts from a picture's centre, x to the right and y down.

    `factor` is a scale and an angle in one: exp(log scale + i radians), clockwise as y points down.
    """

    factor: complex = 1.0
    shift: complex = 0.0

    def after(self, first: Similarity) -> Similarity:
        """The similarity that applies `first`, then this one."""
        return Similarity(self.factor * first.factor, self.factor * first.shift + self.shift)

    def inverse(self) -> Similarity:
        """The inverse similarity."""
        return Similarity(1 / self.factor, -self.shift / self.factor)

    def scaled(self, unit: float) -> Similarity:
        """This similarity in a unit that is `unit` times smaller."""
        return Similarity(self.factor, self.shift * unit)

    def places(self, size: tuple[int, int], onto: tuple[int, int], at: Places | None = None) -> tuple[Tensor, Tensor]:
        """The places of the pixels of a picture of `size` (h, w) on one of size `onto`: x and y, each (h, w).

        In pixels from the centre of the first pixel. Computed in float64, as places deep in a zoom lie close together.
        With `at`, each pixel looks there and not where it is.
        """
        x, y = (part.double() for part in at) if at else own_places(size)
        a, b = self.factor.real, self.factor.imag
        across = a * x - b * y + (self.shift.real + (onto[1] - 1) / 2)
        down = b * x + a * y + (self.shift.imag + (onto[0] - 1) / 2)
        return across.float(), down.float()


def own_places(size: tuple[int, int]) -> Places:
    """The places of the pixels of a picture of `size` (h, w): x (w,) and y (h, 1), from its centre, in float64."""
    height, width = size
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    return x, (torch.arange(height, dtype=torch.float64) - (height - 1) / 2)[:, None]
