"""Drift correction: a zoom stays as bright and colourful relative to its photo, and as sharp, as its first frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from dreamer.engine.laplacian import merge, split
from dreamer.image.luma import luma

_BANDS = 3  # of one octave each, from the finest grain to shapes of 16 pixels
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
    def measure(cls, change: Tensor, photo: Tensor) -> FrameStatistics:
        """The statistics of photo + change, both (1, 3, H, W), the photo in [0, 1]."""
        dream = photo + change
        return cls(
            _squares(split(luma(dream), _BANDS)),
            _squares(split(change - luma(change), _BANDS)),
            float(luma(change).mean()),
            _colour(dream) - _colour(photo),
        )

    def stabilise(self, change: Tensor, photo: Tensor) -> Tensor:
        """Adjust a change so that photo + change has these statistics in grain, brightness and colour.

        This restores what enlarging blurs and what fades between two keyframes: each band of the change's luma is
        multiplied by the gain for which its sum with the photo's band has the target mean square.

        Args:
            change: (1, 3, H, W).
            photo: The photo at the same place, (1, 3, H, W) in [0, 1].

        Returns:
            The adjusted change, (1, 3, H, W).
        """
        dream = photo + change
        photo_bands = split(luma(photo), _BANDS)
        own = luma(change)
        for _ in range(2):  # bands overlap: a second pass corrects what the first one changed in other bands
            bands = split(own.clone(), _BANDS)
            for band, photo_band, target in zip(bands[:-1], photo_bands[:-1], self.grain, strict=False):
                band.mul_(_gain(band, photo_band, target))
            own, before = merge(bands), own
            dream += own - before
        grey = luma(dream)
        tint = dream - grey
        target = max(_colour(photo) + self.colour, 0.0)
        gain = target / max(_magnitude(tint), 1e-6)
        grey += float(luma(photo).mean()) + self.brightness - float(grey.mean())
        return tint.mul_(min(max(gain, _GAIN[0]), _GAIN[1])).add_(grey).sub_(photo)

    def limit_chroma_grain(self, change: Tensor) -> Tensor:
        """A change (1, 3, H, W) whose chroma has at most this grain, which avoids coloured fringes."""
        grey = luma(change)
        bands = split(change - grey, _BANDS)
        for band, target in zip(bands[:-1], self.chroma_grain, strict=False):
            square = float(band.square().mean())
            band.mul_(min(1.0, (target / square) ** 0.5) if square else 1.0)
        return merge(bands).add_(grey)


def _gain(band: Tensor, photo_band: Tensor, target: float) -> float:
    """The g, within limits, for which the mean square of photo_band + g band is the target."""
    square, cross = float(band.square().mean()), float((band * photo_band).mean())
    if square < 1e-12:
        return 1.0
    root = math.sqrt(max(cross * cross - square * (float(photo_band.square().mean()) - target), 0.0))
    return min(max((root - cross) / square, _GAIN[0]), _GAIN[1])


def _squares(bands: Sequence[Tensor]) -> tuple[float, ...]:
    """The mean square of each band except the coarsest."""
    return tuple(float(band.square().mean()) for band in bands[:-1])


def _colour(image: Tensor) -> float:
    """The mean chroma of a picture (1, 3, H, W)."""
    return _magnitude(image - luma(image))


def _magnitude(tint: Tensor) -> float:
    """The mean length of the colour vectors of a picture (1, 3, H, W) minus its luma."""
    return float(tint.square().sum(1).sqrt().mean())
