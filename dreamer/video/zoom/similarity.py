"""Similarities of the plane: enlarging, turning and moving, as one complex line z -> factor z + shift."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Similarity:
    """z -> factor z + shift, where z = x + iy counts from a picture's centre, x to the right and y down.

    `factor` is a scale and an angle in one: exp(log scale + i radians), clockwise as y points down.
    """

    factor: complex = 1.0
    shift: complex = 0.0

    def after(self, first: Similarity) -> Similarity:
        """The one that does `first`, then this."""
        return Similarity(self.factor * first.factor, self.factor * first.shift + self.shift)

    def inverse(self) -> Similarity:
        """The one that undoes this."""
        return Similarity(1 / self.factor, -self.shift / self.factor)

    def scaled(self, unit: float) -> Similarity:
        """The same in a unit that is `unit` times smaller."""
        return Similarity(self.factor, self.shift * unit)

    def places(self, size: tuple[int, int], onto: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Where it puts the pixels of a picture of `size` (h, w) on one of size `onto`: x and y (h, w).

        In pixels from the centre of the first pixel. Computed in float64: deep in a zoom the places lie close.
        """
        height, width = size
        x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
        y = (torch.arange(height, dtype=torch.float64) - (height - 1) / 2)[:, None]
        a, b = self.factor.real, self.factor.imag
        across = a * x - b * y + (self.shift.real + (onto[1] - 1) / 2)
        down = b * x + a * y + (self.shift.imag + (onto[0] - 1) / 2)
        return across.float(), down.float()
