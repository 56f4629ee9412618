"""The photo beneath a zoom: sampled anew from its own pixels for every frame, so that nothing builds up."""

from __future__ import annotations

import math
from functools import cached_property

from torch import Tensor

from dreamer.image import resize
from dreamer.video.zoom.similarity import Similarity
from dreamer.video.zoom.spline import coefficients, sample

_STEP = math.sqrt(2)  # between the sizes that a large photo is kept at


class PhotoSampler:
    """A photo (1, 3, H, W) whose frame is `size` (h, w) pixels, of its shape or cut from its middle."""

    def __init__(self, photo: Tensor, size: tuple[int, int]) -> None:
        self._photo = photo
        self._density = min(photo.shape[-2] / size[0], photo.shape[-1] / size[1])

    def at(self, place: Similarity, size: tuple[int, int]) -> Tensor:
        """The photo as a frame at `place` (in frame pixels) sees it: (1, 3, h, w) in [0, 1].

        Between two of the kept sizes it is a blend of both, lest its sharpness jump.
        """
        level = math.log(max(1.0, self._density * abs(place.factor)), _STEP)
        lower = min(int(level), len(self._levels) - 1)
        share = level - lower if lower + 1 < len(self._levels) else 0.0
        image = self._sample(lower, place, size)
        if share > 1e-6:
            image.lerp_(self._sample(lower + 1, place, size), share)
        return image.clamp_(0, 1)

    @cached_property
    def _levels(self) -> list[tuple[float, Tensor]]:
        """Frame pixels to pixels of each size, and the size's spline."""
        levels, image = [], self._photo
        while True:
            levels.append((self._density * image.shape[-1] / self._photo.shape[-1], coefficients(image)))
            smaller = (round(image.shape[-2] / _STEP), round(image.shape[-1] / _STEP))
            if levels[-1][0] <= 1 or min(smaller) < 32:
                return levels
            image = resize(image, smaller)

    def _sample(self, level: int, place: Similarity, size: tuple[int, int]) -> Tensor:
        density, spline = self._levels[level]
        onto = Similarity(complex(density)).after(place)
        return sample(spline, *onto.places(size, (spline.shape[-2], spline.shape[-1])))
