"""A photo in two sheets: what it shows, and what lies behind the edges of its near parts, which a moved camera sees.

What is behind is made up from the surroundings on the far side of the edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import UsageError, argument
from dreamer.image import resize, size_at
from dreamer.videos.zoom.depth.camera import CameraWay
from dreamer.videos.zoom.depth.nearest import nearest
from dreamer.videos.zoom.depth.rays import sampled
from dreamer.videos.zoom.similarity import Places, own_places
from dreamer.videos.zoom.zoom import Zoom

_SIDE = 2048  # px: the long side at which the sheets are kept at most
_GAP = 3.0  # px: a step that opens a smaller gap, at the extreme, is none
_SPARE = 4  # px of what is hidden beyond what is uncovered
_SOFT = 80  # px of the long side for each pixel that is a soft edge on either side
_TEETH = 9  # px of an edge that are smoothed
_NEARER = (1.0, 0.5, 0.25, 0.0)  # of the way to the edge, how far beyond it the mirror image is; else nearer
_SEAM = 0.01  # of the long side: on the far side of an edge the second sheet is shown so far, and as far again in part
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

    @cached_property
    def hidden(self) -> Tensor:
        """Where near parts may uncover what is behind them, (1, 1, h, w), true or false."""
        level, away = self._behind
        rise = self.nearness - level
        return (rise > self._step) & (away < rise * (self.reach * self._side) + _SPARE)

    @cached_property
    def far(self) -> Tensor:
        """How near what lies behind is, (1, 1, h, w): the nearness itself where nothing is hidden."""
        return torch.where(self.hidden, self._behind[0], self.nearness)

    @cached_property
    def front(self) -> Tensor:
        """How much of each place the first sheet shows, (1, 1, h, w): less on the far side of edges, beside them."""
        wide = max(2.0, _SEAM * self._side)
        level, away = self._behind
        beside = (2 - away / wide).clamp(0, 1) * (self.nearness < level + self._step)
        return 1 - beside

    def behind(self, photo: Tensor) -> Tensor:
        """The picture behind a photo (1, 3, H, W), of the size of the sheets: itself where nothing is hidden.

        What is hidden is the mirror image of what is on the far side of its edge, so that the texture goes on.
        """
        picture = resize(photo, self._size).clamp(0, 1)
        x, y = self._mirrored
        return torch.where(self.hidden, sampled(picture, (x, y)), picture)

    def masks_behind(self, masks: Tensor) -> Tensor:
        """What masks (1, n, H, W) are behind, of the size of the sheets."""
        masks = F.interpolate(masks, size=self._size, mode="bilinear", antialias=True)
        return torch.where(self.hidden, sampled(masks, self._mirrored), masks)

    @cached_property
    def _mirrored(self) -> Places:
        """Where each pixel that is hidden has its mirror image, from the centre: itself for all others."""
        (x, y), (right, down) = own_places(self._size), self._edge
        x, y = (each.float().expand(self._size) for each in (x, y))
        smooth = tuple(each + self._smooth(edge - each) for each, edge in ((x, right), (y, down)))
        apart = torch.hypot(smooth[0] - right, smooth[1] - down) > 0.3 * torch.hypot(x - right, y - down)
        right, down = (torch.where(apart, each, soft) for each, soft in ((right, smooth[0]), (down, smooth[1])))
        found, open = (x, y), self.hidden[0, 0]
        level = (self.nearness + self.far)[0, 0] / 2
        around = torch.cat([self.nearness, self.hidden.float()], 1)
        for share in _NEARER:
            at = (
                _within(right + share * (right - x), self._size[1]),
                _within(down + share * (down - y), self._size[0]),
            )
            there = sampled(around, at)[0]
            fits = open & (((there[0] < level) & (there[1] < 0.01)) | torch.tensor(share == 0))
            found = (torch.where(fits, at[0], found[0]), torch.where(fits, at[1], found[1]))
            open = open & ~fits
        return found

    def _smooth(self, away: Tensor) -> Tensor:
        """How far away the edge is, (h, w), without the teeth of its pixels, where something is hidden."""
        inside = self.hidden.float()
        sums, shares = (
            F.avg_pool2d(each, _TEETH, 1, _TEETH // 2) for each in (away.float()[None, None] * inside, inside)
        )
        return (sums / shares.clamp(min=1e-6))[0, 0]

    @cached_property
    def _edge(self) -> Places:
        """Where the nearest pixel on the far side of an edge is, from the centre."""
        high = _most(self.nearness, 1)
        rows, columns = nearest((high - self.nearness > self._step)[0, 0], self._pixels(max(self.reach, 2 * _SEAM)))
        height, width = self._size
        return columns - (width - 1) / 2, rows - (height - 1) / 2

    @cached_property
    def _behind(self) -> tuple[Tensor, Tensor]:
        """How near the far side of the nearest edge is, and how far away, in pixels, both (1, 1, h, w)."""
        (x, y), (right, down) = own_places(self._size), self._edge
        away = torch.hypot(right - x, down - y).float()
        return sampled(self.nearness, self._edge), away[None, None]

    @property
    def _step(self) -> float:
        """The difference in nearness that is a step."""
        return min(_GAP / max(self.reach * self._side, 1e-6), 0.5)

    @property
    def _size(self) -> tuple[int, int]:
        return self.nearness.shape[-2], self.nearness.shape[-1]

    @property
    def _side(self) -> int:
        return max(self._size)

    def _pixels(self, share: float) -> int:
        return math.ceil(share * self._side)


def relief_of(zoom: Zoom, nearness: Tensor, photo: Tensor) -> Relief:
    """The relief of a photo (1, 3, H, W) for a zoom whose camera moves in depth; `nearness` is (1, 1, h, w).

    Raises UsageError where the zoom cannot be one in depth.
    """
    if zoom.mode != "keyframes":
        raise UsageError(
            f"{argument('depth')} needs {argument('mode', 'keyframes')}: in feedback nothing stays where it is"
        )
    way = CameraWay.of(zoom)
    return Relief.of(nearness, photo, way.reach, way.around)


def _within(place: Tensor, length: int) -> Tensor:
    """Places from the centre of a line of pixels, mirrored at its ends."""
    half = (length - 1) / 2
    return torch.where(place.abs() > half, place.sign() * (2 * half - place.abs()), place).clamp(-half, half)


def _sharpened(nearness: Tensor, reach: float) -> Tensor:
    """Nearness (1, 1, h, w) whose soft edges are steps: nothing is half in front (Kramer and Bruckner 1975).

    Near parts grow by a pixel or a few, so that their own edges stay theirs. `reach` is in pixels.
    """
    steep = 2 / max(reach, 1e-6)
    rounds = max(2, round(max(nearness.shape[-2:]) / _SOFT))
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
