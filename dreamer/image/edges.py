"""Edges of a picture: where it goes round, as a fabric or a panorama does, its other side lies beyond them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Wrap = Literal["none", "x", "y", "both", "sphere"]
Span = tuple[int, int]


@dataclass(frozen=True)
class Edges:
    """Along which axes a picture goes round: `y` joins its top to its bottom, `x` its right side to its left."""

    y: bool = False
    x: bool = False

    @classmethod
    def of(cls, wrap: Wrap) -> Edges:
        """The edges of a recipe's word."""
        return cls(wrap in ("y", "both"), wrap in ("x", "both", "sphere"))

    def __bool__(self) -> bool:
        return self.y or self.x

    def axes(self) -> Iterator[tuple[int, bool]]:
        """Each axis of a tensor (..., H, W), -2 and -1, and whether the picture goes round along it."""
        yield from ((-2, self.y), (-1, self.x))

    def padded(self, picture: Tensor, pixels: int, mode: str = "reflect") -> Tensor:
        """The picture (B, C, H, W) with `pixels` more on every side; where it does not go round, by torch's `mode`."""
        open_axes = [0 if round_ else pixels for _, round_ in self.axes()]
        for dim, round_ in self.axes():
            if round_:
                picture = around(picture, dim, (-pixels, picture.shape[dim] + pixels))
        tall, wide = open_axes
        return functional.pad(picture, (wide, wide, tall, tall), mode=mode) if tall or wide else picture

    def fitting(self, size: tuple[int, int], unit: int) -> tuple[int, int]:
        """The nearest (height, width) of whole `unit`s along each axis that goes round, at least one."""
        high, wide = (
            max(1, round(side / unit)) * unit if round_ else side
            for side, (_, round_) in zip(size, self.axes(), strict=True)
        )
        return high, wide

    def cell(self, most: int, size: tuple[int, int]) -> int:
        """The largest number of pixels, `most` at most, that divides each side along which the picture goes round."""
        if not self:
            return most
        whole = math.gcd(*(side for side, (_, round_) in zip(size, self.axes(), strict=True) if round_))
        return next(cell for cell in range(most, 0, -1) if whole % cell == 0)

    def resampled(
        self, picture: Tensor, size: tuple[int, int], resample: Callable[[Tensor, tuple[int, int]], Tensor]
    ) -> Tensor:
        """The picture (B, C, H, W) resampled to `size` (height, width), its edges joined.

        The picture is continued by so much that pixels of both grids begin together there, and what becomes of that
        is cut off: `resample` may look at four pixels beside a place, or, making a picture smaller, at as many more.
        """
        wanted, margins = list(size), [0, 0]
        for axis, (dim, round_) in enumerate(self.axes()):
            if round_ and size[axis] != picture.shape[dim]:
                before, after = picture.shape[dim], size[axis]
                common = math.gcd(before, after)
                count = math.ceil(4 * max(1.0, before / after) * common / before)
                beyond, margins[axis] = count * (before // common), count * (after // common)
                picture = around(picture, dim, (-beyond, before + beyond))
                wanted[axis] += 2 * margins[axis]
        found = resample(picture, (wanted[0], wanted[1]))
        if not any(margins):
            return found
        (top, left), (height, width) = margins, size
        return found[..., top : top + height, left : left + width].contiguous()


OPEN = Edges()
"""A picture that goes round nowhere."""


def around(picture: Tensor, dim: int, span: Span) -> Tensor:
    """The values at places [start, stop) along an axis of a picture that goes round, also beyond its edges."""
    size = picture.shape[dim]
    if 0 <= span[0] and span[1] <= size:
        return picture.narrow(dim, span[0], span[1] - span[0])
    return torch.cat([picture.narrow(dim, at.start, at.stop - at.start) for at, _ in periods(span, size)], dim)


def periods(span: Span, size: int) -> Iterator[tuple[slice, slice]]:
    """The parts of a span that each lie within one period of a picture: where in the picture, and where in the span."""
    start, stop = span
    while start < stop:
        end = min(stop, (start // size + 1) * size)
        yield slice(start % size, start % size + end - start), slice(start - span[0], end - span[0])
        start = end
