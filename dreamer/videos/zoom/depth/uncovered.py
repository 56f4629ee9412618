"""Parts that near ones cover and a moved camera may see: their nearness, and a picture made up from beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.videos.zoom.depth.nearest import nearest
from dreamer.videos.zoom.depth.rays import sampled
from dreamer.videos.zoom.similarity import Places, own_places

_SPARE = 4  # px of what is hidden beyond what is uncovered
_SOFT = 3  # px: how wide an edge may be
_TEETH = 9  # px of an edge that are smoothed
_NEARER = (1.0, 0.5, 0.25, 0.0)  # shares of the way to the edge, tried in turn: so far beyond it is the mirror image


@dataclass(frozen=True)
class Uncovered:
    """The parts behind the edges of near ones.

    Args:
        nearness: (1, 1, h, w) in [0, 1].
        reach: Largest distance in pixels that near and far parts move against each other.
        gap: Smallest width in pixels of a gap that a step in nearness opens at the extreme; a smaller step is none.
        beside: Number of pixels on the far side of edges that matter as well.
    """

    nearness: Tensor
    reach: float
    gap: float
    beside: float = 0.0

    @cached_property
    def hidden(self) -> Tensor:
        """Whether near parts may uncover what is behind them at each place, (1, 1, h, w), bool."""
        rise = self.nearness - self.level
        return (rise > self._step) & (self.away < rise * self.reach + _SPARE)

    @cached_property
    def far(self) -> Tensor:
        """The nearness of what lies behind, (1, 1, h, w); `nearness` itself where nothing is hidden."""
        return torch.where(self.hidden, self.level, self.nearness)

    @cached_property
    def outside(self) -> Tensor:
        """Whether a place is on the far side of the edge that is nearest to it, (1, 1, h, w)."""
        return self.nearness < self.level + self._step

    @cached_property
    def level(self) -> Tensor:
        """The nearness on the far side of the nearest edge, (1, 1, h, w)."""
        return sampled(self.nearness, self._edge)

    @cached_property
    def away(self) -> Tensor:
        """The distance to that edge in pixels, (1, 1, h, w)."""
        (x, y), (right, down) = own_places(self._size), self._edge
        return torch.hypot(right - x, down - y).float()[None, None]

    def behind(self, picture: Tensor) -> Tensor:
        """The picture behind a picture (1, C, h, w): itself where nothing is hidden.

        What is hidden is the mirror image of what is on the far side of its edge, so that the texture goes on.
        """
        return torch.where(self.hidden, sampled(picture, self._mirrored), picture)

    @cached_property
    def _mirrored(self) -> Places:
        """The places of hidden pixels' mirror images, from the centre; the pixel's own for all others."""
        x, y = (each.float().expand(self._size) for each in own_places(self._size))
        right, down = self._smoothed(x, y)
        found, open = (x, y), self.hidden[0, 0]
        level = (self.nearness + self.far)[0, 0] / 2
        around = torch.cat([self.nearness, self.hidden.float()], 1)
        for share in _NEARER:
            across, along = right + share * (right - x), down + share * (down - y)
            at = (_within(across, self._size[1]), _within(along, self._size[0]))
            near, covered = sampled(around, at)[0]
            fits = open & (near < level) & (covered < 0.01) if share else open
            found = (torch.where(fits, at[0], found[0]), torch.where(fits, at[1], found[1]))
            open = open & ~fits
        return found

    def _smoothed(self, x: Tensor, y: Tensor) -> Places:
        """The nearest places on the far side of an edge, without the teeth of its pixels."""
        inside = self.hidden.float()
        share = F.avg_pool2d(inside, _TEETH, 1, _TEETH // 2).clamp(min=1e-6)
        means = [(F.avg_pool2d(each * inside, _TEETH, 1, _TEETH // 2) / share)[0, 0] for each in self._edge]
        right, down = self._edge
        apart = torch.hypot(means[0] - right, means[1] - down) > 0.3 * torch.hypot(right - x, down - y)
        return torch.where(apart, right, means[0]), torch.where(apart, down, means[1])

    @cached_property
    def _edge(self) -> Places:
        """The place of the nearest pixel on the far side of an edge, from the centre."""
        high, low = most(self.nearness, _SOFT), -most(-self.nearness, _SOFT)
        edge = (high - self.nearness > self._step) & (self.nearness < low + self._step)
        rows, columns = nearest(edge[0, 0], math.ceil(max(self.reach + _SPARE, self.beside)))
        height, width = self._size
        return (columns - (width - 1) / 2).float(), (rows - (height - 1) / 2).float()

    @property
    def _step(self) -> float:
        """The difference in nearness that is a step."""
        return min(self.gap / max(self.reach, 1e-6), 0.5)

    @property
    def _size(self) -> tuple[int, int]:
        return self.nearness.shape[-2], self.nearness.shape[-1]


def most(values: Tensor, radius: int) -> Tensor:
    """The greatest of what lies around each pixel, up to `radius` pixels away across and down."""
    for down, right in ((radius, 0), (0, radius)):
        values = F.max_pool2d(values, (2 * down + 1, 2 * right + 1), stride=1, padding=(down, right))
    return values


def _within(place: Tensor, length: int) -> Tensor:
    """Places from the centre of a line of pixels, mirrored at its ends."""
    half = (length - 1) / 2
    return torch.where(place.abs() > half, place.sign() * (2 * half - place.abs()), place).clamp(-half, half)
