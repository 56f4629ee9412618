"""What keeps a zoom from drifting: as bright and as colourful as its photo, as sharp as its first frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from dreamer.engine.laplacian import merge, split
from dreamer.image.luma import luma

_BANDS = 3  # of an octave each, from the finest grain to forms of 16 pixels
_GAIN = (0.5, 2.5)  # a band is never faded or lifted further


@dataclass(frozen=True)
class Level:
    """What the first frame is beside its photo, and every later one shall be beside the same zoom of it.

    `grain` is the mean square of the frame's luma in bands, fine to coarse, `tint` that of the change's chroma; `light`
    and `colour` are how much brighter and how much more colourful the dream is, in mean luma and mean chroma.
    """

    grain: tuple[float, ...]
    tint: tuple[float, ...]
    light: float
    colour: float

    @classmethod
    def of(cls, change: Tensor, photo: Tensor) -> Level:
        """The level of photo + change, both (1, 3, H, W)."""
        dream = photo + change
        return cls(
            _squares(split(luma(dream), _BANDS)),
            _squares(split(change - luma(change), _BANDS)),
            float(luma(change).mean()),
            _colour(dream) - _colour(photo),
        )

    def steadied(self, change: Tensor, photo: Tensor) -> Tensor:
        """The change, for this photo, that is on the level in grain, light and colour.

        What enlarging blurs, and what fades where one keyframe passes into the next, comes back: each band of the
        change's luma is multiplied by the gain for which the sum with the photo's has the wanted mean square.
        """
        dream = photo + change
        below = split(luma(photo), _BANDS)
        own = luma(change)
        for _ in range(2):  # bands overlap: a second pass corrects what the first one spilled
            bands = split(own.clone(), _BANDS)
            for band, under, wanted in zip(bands[:-1], below[:-1], self.grain, strict=False):
                band.mul_(_gain(band, under, wanted))
            own, before = merge(bands), own
            dream += own - before
        grey = luma(dream)
        tint = dream - grey
        wanted = max(_colour(photo) + self.colour, 0.0)
        gain = wanted / max(_magnitude(tint), 1e-6)
        grey += float(luma(photo).mean()) + self.light - float(grey.mean())
        return tint.mul_(min(max(gain, _GAIN[0]), _GAIN[1])).add_(grey).sub_(photo)

    def calmed(self, change: Tensor) -> Tensor:
        """The change with the grain of its chroma brought back to the level, where it is above: no coloured fringes."""
        grey = luma(change)
        bands = split(change - grey, _BANDS)
        for band, wanted in zip(bands[:-1], self.tint, strict=False):
            square = float(band.square().mean())
            band.mul_(min(1.0, (wanted / square) ** 0.5) if square else 1.0)
        return merge(bands).add_(grey)


def _gain(band: Tensor, under: Tensor, wanted: float) -> float:
    """g, within limits, such that the mean square of under + g band is as wanted."""
    square, cross = float(band.square().mean()), float((band * under).mean())
    if square < 1e-12:
        return 1.0
    root = math.sqrt(max(cross * cross - square * (float(under.square().mean()) - wanted), 0.0))
    return min(max((root - cross) / square, _GAIN[0]), _GAIN[1])


def _squares(bands: Sequence[Tensor]) -> tuple[float, ...]:
    return tuple(float(band.square().mean()) for band in bands[:-1])


def _colour(image: Tensor) -> float:
    return _magnitude(image - luma(image))


def _magnitude(tint: Tensor) -> float:
    """Mean length of the colour, with its luma taken off."""
    return float(tint.square().sum(1).sqrt().mean())
