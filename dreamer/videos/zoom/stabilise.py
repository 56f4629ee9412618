"""Drift correction: a zoom stays as bright and colourful relative to its photo, and as sharp, as its first frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dreamer.engine.areas import Areas
from dreamer.engine.laplacian import merge, split
from dreamer.image.luma import luma

_BANDS = 3  # bands of one octave each, from the finest grain to shapes of 16 pixels
_GAIN = (0.5, 2.5)  # limits of the factor on a band


@dataclass(frozen=True)
class FrameStatistics:
    """Statistics of a frame relative to its photo; those of the first frame are the target for all later ones.

    `grain` is the mean square of the frame's luma in each band, fine to coarse, `chroma_grain` that of the change's
    chroma; `brightness` and `colour` are the dream's mean luma and mean chroma minus the photo's.
    """

    grain: tuple[float, ...]
    chroma_grain: tuple[float, ...]
    brightness: float
    colour: float

    @classmethod
    def measure(cls, change: Tensor, photo: Tensor, within: Tensor | None = None) -> FrameStatistics:
        """The statistics of photo + change, both (1, 3, H, W), the photo in [0, 1].

        `within` (1, 1, H, W) is the weight of each place, if they have not all the same.
        """
        dream = photo + change
        return cls(
            _squares(split(luma(dream), _BANDS), within),
            _squares(split(change - luma(change), _BANDS), within),
            _mean(luma(change), within),
            _colour(dream, within) - _colour(photo, within),
        )

    def stabilise(self, change: Tensor, photo: Tensor, within: Tensor | None = None) -> Tensor:
        """Adjust a change so that photo + change has these statistics in grain, brightness and colour.

        This restores what enlarging blurs and what fades between two keyframes: each band of the change's luma is
        multiplied by the gain for which its sum with the photo's band has the target mean square.

        Args:
            change: (1, 3, H, W).
            photo: The photo at the same place, (1, 3, H, W) in [0, 1].
            within: As for `measure`.

        Returns:
            The adjusted change, (1, 3, H, W).
        """
        dream = photo + change
        photo_bands = split(luma(photo), _BANDS)
        own = luma(change)
        for _ in range(2):  # bands overlap: a second pass corrects what the first one changed in other bands
            bands = split(own.clone(), _BANDS)
            for band, photo_band, target in zip(bands[:-1], photo_bands[:-1], self.grain, strict=False):
                band.mul_(_gain(band, photo_band, target, within))
            own, before = merge(bands), own
            dream += own - before
        grey = luma(dream)
        tint = dream - grey
        target = max(_colour(photo, within) + self.colour, 0.0)
        gain = target / max(_magnitude(tint, within), 1e-6)
        grey += _mean(luma(photo), within) + self.brightness - _mean(grey, within)
        return tint.mul_(min(max(gain, _GAIN[0]), _GAIN[1])).add_(grey).sub_(photo)

    def limit_chroma_grain(self, change: Tensor, within: Tensor | None = None) -> Tensor:
        """A change (1, 3, H, W) whose chroma has at most this grain, which avoids coloured fringes."""
        grey = luma(change)
        bands = split(change - grey, _BANDS)
        for band, target in zip(bands[:-1], self.chroma_grain, strict=False):
            square = _mean(band.square(), within)
            band.mul_(min(1.0, (target / square) ** 0.5) if square else 1.0)
        return merge(bands).add_(grey)


def measured(change: Tensor, photo: Tensor, areas: Areas | None) -> FrameStatistics | None:
    """The statistics of photo + change, (1, 3, H, W), where its looks are; None where they are out of sight."""
    if areas is None:
        return FrameStatistics.measure(change, photo)
    return FrameStatistics.measure(change, photo, areas.whole) if areas.whole.any() else None


def steadied(level: FrameStatistics | None, change: Tensor, photo: Tensor, areas: Areas | None) -> Tensor:
    """A change (1, 3, H, W) brought to a level where its looks are, and 0 elsewhere; see `stabilise`."""
    if areas is None:
        return level.stabilise(change, photo) if level else change
    return _inside(areas, change, level.stabilise(change, photo, areas.whole) if level else change)


def calmed(level: FrameStatistics | None, change: Tensor, areas: Areas | None) -> Tensor:
    """A change (1, 3, H, W) with a level's chroma grain where its looks are, and 0 elsewhere."""
    if areas is None:
        return level.limit_chroma_grain(change) if level else change
    return _inside(areas, change, level.limit_chroma_grain(change, areas.whole) if level else change)


def _inside(areas: Areas, before: Tensor, after: Tensor) -> Tensor:
    """`after` inside, 0 outside, and both in their shares between; where no look is in sight, 0."""
    return areas.kept(areas.blended(before, after), torch.zeros_like(before))


def _gain(band: Tensor, photo_band: Tensor, target: float, within: Tensor | None) -> float:
    """The g, within limits, for which the mean square of photo_band + g band is the target."""
    square, cross = _mean(band.square(), within), _mean(band * photo_band, within)
    if square < 1e-12:
        return 1.0
    root = math.sqrt(max(cross * cross - square * (_mean(photo_band.square(), within) - target), 0.0))
    return min(max((root - cross) / square, _GAIN[0]), _GAIN[1])


def _mean(values: Tensor, within: Tensor | None) -> float:
    """The mean of values (1, C, h, w), weighted by what of `within` (1, 1, H, W) lies at each of them."""
    if within is None:
        return float(values.mean())
    weights = functional.adaptive_avg_pool2d(within, (values.shape[-2], values.shape[-1]))
    return float((values * weights).mean()) / max(float(weights.mean()), 1e-12)


def _squares(bands: Sequence[Tensor], within: Tensor | None) -> tuple[float, ...]:
    """The mean square of each band except the coarsest."""
    return tuple(_mean(band.square(), within) for band in bands[:-1])


def _colour(image: Tensor, within: Tensor | None) -> float:
    """The mean chroma of a picture (1, 3, H, W)."""
    return _magnitude(image - luma(image), within)


def _magnitude(tint: Tensor, within: Tensor | None) -> float:
    """The mean length of the colour vectors of a picture (1, 3, H, W) minus its luma."""
    return _mean(tint.square().sum(1, keepdim=True).sqrt(), within)
