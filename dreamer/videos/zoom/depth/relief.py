"""A photo in two sheets: what it shows, and what lies behind the edges of its near parts, which a moved camera sees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from dreamer.errors import UsageError, argument
from dreamer.image import resize, size_at
from dreamer.videos.zoom.depth.camera import CameraWay
from dreamer.videos.zoom.depth.uncovered import Uncovered, most
from dreamer.videos.zoom.zoom import Zoom

_SIDE = 2048  # px: the long side at which the sheets are kept at most
_SEAM = 0.01  # share of the long side: so far beside an edge the second sheet is shown, and as far again in part
_GAPS = (3.0, 12.0, 12.0)  # px, at the extreme: near parts are taken away in rounds, a hand, then the face behind it
_SOFT = 80  # px of the long side for each pixel that is a soft edge on either side
_WORN = 800  # px of the long side for each pixel by which near parts grow, so that they keep their edges


@dataclass(frozen=True)
class Relief:
    """The nearness of a photo's parts, in two sheets: the photo, and what its near parts may uncover.

    Args:
        nearness: (1, 1, h, w), 0 for the farthest and 1 for the nearest part, in the photo's proportions.
        reach: Largest distance that near and far parts move against each other, in long sides of the photo.
        inset: The share of the photo that frames see at first, so that none looks beyond its edges.
    """

    nearness: Tensor
    reach: float
    inset: float

    @classmethod
    def of(cls, nearness: Tensor, size: tuple[int, int], reach: float, around: float) -> Relief:
        """The relief of a photo of `size` (H, W), given how near its parts are, (1, 1, h, w).

        `around` is how far the camera looks beyond the frame's edges at most, in long sides of the frame.
        """
        height, width = size
        side = min(_SIDE, max(height, width))
        inset = 1 / (1 + 2 * around * max(height, width) / min(height, width))
        return cls(_sharpened(resize(nearness, size_at(height, width, side)).clamp(0, 1), reach * side), reach, inset)

    @cached_property
    def far(self) -> Tensor:
        """The nearness of the sheet behind, (1, 1, h, w); the first one's where nothing is hidden."""
        return self._rounds[-1].far

    @cached_property
    def front(self) -> Tensor:
        """The first sheet's share at each place, (1, 1, h, w): less beside edges, on their far side."""
        first = self._rounds[0]
        beside = (2 - first.away / self._seam).clamp(0, 1) * first.outside
        return torch.where(self.far < self.nearness, 1.0, 1 - beside)

    def behind(self, photo: Tensor) -> Tensor:
        """The picture behind a photo (1, 3, H, W), of the size of the sheets: itself where nothing is hidden."""
        return self._behind(resize(photo, self._size).clamp(0, 1))

    def masks_behind(self, masks: Tensor) -> Tensor:
        """Masks (1, n, H, W) for the sheet behind, at the size of the sheets."""
        return self._behind(F.interpolate(masks, size=self._size, mode="bilinear", antialias=True))

    def _behind(self, picture: Tensor) -> Tensor:
        for each in self._rounds:
            picture = each.behind(picture)
        return picture

    @cached_property
    def _rounds(self) -> list[Uncovered]:
        """The layers uncovered by taking away the nearest parts, then the nearest of the rest, and so on."""
        reach = self.reach * max(self._size)
        found = [Uncovered(self.nearness, reach, _GAPS[0], 2 * self._seam)]
        for gap in _GAPS[1:]:
            if bool(found[-1].hidden.any()):
                found.append(Uncovered(found[-1].far, reach, gap))
        return found

    @property
    def _seam(self) -> float:
        return max(2.0, _SEAM * max(self._size))

    @property
    def _size(self) -> tuple[int, int]:
        return self.nearness.shape[-2], self.nearness.shape[-1]


def relief_of(zoom: Zoom, nearness: Tensor, size: tuple[int, int]) -> Relief:
    """The relief of a photo of `size` (H, W) for a zoom whose camera moves in depth; `nearness` is (1, 1, h, w).

    Raises UsageError where the zoom cannot be one in depth.
    """
    if zoom.mode != "keyframes":
        raise UsageError(
            f"{argument('depth')} needs {argument('mode', 'keyframes')}: in feedback nothing stays where it is"
        )
    way = CameraWay.of(zoom)
    return Relief.of(nearness, size, way.reach, way.around)


def _sharpened(nearness: Tensor, reach: float) -> Tensor:
    """Nearness (1, 1, h, w) whose soft edges are steps: nothing is half in front (Kramer and Bruckner 1975).

    Near parts grow by a pixel or a few, so that their own edges stay theirs. `reach` is in pixels.
    """
    steep = 2 / max(reach, 1e-6)
    for _ in range(max(2, round(max(nearness.shape[-2:]) / _SOFT))):
        near, far = most(nearness, 1), -most(-nearness, 1)
        either = torch.where(nearness > (near + far) / 2, near, far)
        nearness = torch.where(near - far > steep, either, nearness)
    radius = max(1, round(max(nearness.shape[-2:]) / _WORN))
    near = most(nearness, radius)
    return torch.where(near - nearness > steep * radius, near, nearness)
