"""A photo in two sheets: what it shows, and what lies behind the edges of its near parts, which a moved camera sees.

What is behind is made up from the surroundings on the far side: its nearness and the looks' shares softly, by pyramids
(Gortler 1996), the picture itself from patches of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.image import resize, size_at
from dreamer.videos.zoom.depth.filling import completed
from dreamer.videos.zoom.depth.pyramid import filled

_SIDE = 2048  # px: the long side at which the sheets are kept at most
_GAP = 3.0  # px: a step that opens a smaller gap, at the extreme, is none
_COARSE = 512  # px: the long side at which it is looked for how near what lies behind is
_SEAM = 0.01  # of the long side: on the far side of an edge both sheets blend over so far
_WORN = 400  # px of the long side for each pixel by which near parts grow, so that they keep their edges


@dataclass(frozen=True)
class Relief:
    """How near each part of a photo is.

    Args:
        nearness: (1, 1, h, w), 0 for the farthest and 1 for the nearest part, in the photo's proportions.
        reach: How far near and far parts move against each other at most, in long sides of the photo.
        inset: Of the photo, which share the frames see at first, so that none looks beyond its edges.
    """

    nearness: Tensor
    reach: float
    inset: float

    @classmethod
    def of(cls, nearness: Tensor, photo: Tensor, reach: float, around: float) -> Relief:
        """The relief of a photo (1, 3, H, W), given how near its parts are, (1, 1, h, w).

        `around` is how far the camera looks beyond the frame's edges at most, in long sides of the frame.
        """
        height, width = photo.shape[-2:]
        side = min(_SIDE, max(height, width))
        inset = 1 / (1 + 2 * around * max(height, width) / min(height, width))
        return cls(_sharpened(resize(nearness, size_at(height, width, side)).clamp(0, 1), reach * side), reach, inset)

    @property
    def hidden(self) -> Tensor:
        """Where the picture behind is made up, (1, 1, h, w), true or false: with some pixels around, mixed at edges."""
        return _most(self._covering.float(), 1 + self._pixels(1 / _WORN)) > 0

    @cached_property
    def far(self) -> Tensor:
        """How near what lies behind is, (1, 1, h, w): the nearness itself where nothing is hidden."""
        return torch.where(self._covering, self._behind[0], self.nearness)

    @cached_property
    def front(self) -> Tensor:
        """How much of each place the first sheet shows, (1, 1, h, w): less on the far side of edges, beside them."""
        near, _, high = self._edges(self.nearness, self.nearness)
        radius = max(2, self._pixels(_SEAM))
        level = _most(torch.where(near, high, -1.0), 2 * radius)
        beside = F.avg_pool2d(_most(near.float(), radius), 2 * radius + 1, 1, radius, count_include_pad=False)
        aside = (self.nearness < level - self._step) & ~self._covering
        return 1 - torch.where(aside, (2 * beside).clamp(max=1), 0.0)

    def behind(self, photo: Tensor) -> Tensor:
        """The picture behind a photo (1, 3, H, W), of the size of the sheets: itself where nothing is hidden."""
        size = (self.nearness.shape[-2], self.nearness.shape[-1])
        return completed(resize(photo, size).clamp(0, 1), self.hidden, self.nearness, self.far + self._step)

    def softly_behind(self, values: Tensor) -> Tensor:
        """What masks (1, n, H, W) are behind, of the size of the sheets."""
        size = (self.nearness.shape[-2], self.nearness.shape[-1])
        values = F.interpolate(values, size=size, mode="bilinear", antialias=True)
        return torch.where(self.hidden, filled(values, self.hidden), values)

    @cached_property
    def _covering(self) -> Tensor:
        """Where near parts may uncover what is behind them, (1, 1, h, w), true or false."""
        level, reached = self._behind
        return reached & (self.nearness > level + self._step)

    @cached_property
    def _behind(self) -> tuple[Tensor, Tensor]:
        """How near what lies behind is, and where that was looked for, both (1, 1, h, w).

        From the far side of each edge it goes on into the near side, pixel by pixel, up to the reach.
        """
        size = (self.nearness.shape[-2], self.nearness.shape[-1])
        small = size_at(*size, min(_COARSE, self._side))
        far, near = -F.adaptive_max_pool2d(-self.nearness, small), F.adaptive_max_pool2d(self.nearness, small)
        reached, level, _ = self._edges(near, far)
        level = torch.where(reached, level, 0.0)
        for _ in range(math.ceil(self.reach * max(small)) + 2):
            shares = F.avg_pool2d(reached.float(), 3, 1, 1, count_include_pad=False)
            means = F.avg_pool2d(level, 3, 1, 1, count_include_pad=False) / shares.clamp(min=1e-6)
            new = ~reached & (shares > 0) & (near > means + self._step)
            level, reached = torch.where(new, means, level), reached | new
        level = filled(level, ~reached)
        around = F.interpolate(_most(reached.float(), 2), size=size, mode="nearest") > 0
        return F.interpolate(level, size=size, mode="bilinear"), around

    def _edges(self, nearness: Tensor, farther: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels at the near side of a step, and the least and the greatest nearness around each pixel."""
        far, near = -_most(-farther, 1), _most(nearness, 1)
        return nearness - far > self._step, far, near

    @property
    def _step(self) -> float:
        """The difference in nearness that is a step."""
        return min(_GAP / max(self.reach * self._side, 1e-6), 0.5)

    @property
    def _side(self) -> int:
        return max(self.nearness.shape[-2:])

    def _pixels(self, share: float) -> int:
        return math.ceil(share * self._side)


def _sharpened(nearness: Tensor, reach: float) -> Tensor:
    """Nearness (1, 1, h, w) whose soft edges are steps: nothing is half in front (Kramer and Bruckner 1975).

    Near parts grow by a pixel or a few, so that their own edges stay theirs. `reach` is in pixels.
    """
    steep = 2 / max(reach, 1e-6)
    rounds = max(2, round(max(nearness.shape[-2:]) / 256))
    for _ in range(rounds):
        near, far = _most(nearness, 1), -_most(-nearness, 1)
        either = torch.where(nearness > (near + far) / 2, near, far)
        nearness = torch.where(near - far > steep, either, nearness)
    radius = max(1, round(max(nearness.shape[-2:]) / _WORN / 2))
    near = _most(nearness, radius)
    return torch.where(near - nearness > steep * radius, near, nearness)


def _most(values: Tensor, radius: int) -> Tensor:
    """The greatest of what lies around each pixel, up to `radius` pixels away across and down."""
    for down, right in ((radius, 0), (0, radius)):
        values = F.max_pool2d(values, (2 * down + 1, 2 * right + 1), stride=1, padding=(down, right))
    return values
