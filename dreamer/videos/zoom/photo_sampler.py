"""The photo beneath a zoom: every frame samples its original pixels, so that no resampling error accumulates."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from dreamer.image import resize
from dreamer.videos.zoom.similarity import Places, Similarity
from dreamer.videos.zoom.spline import coefficients, sample

_STEP = math.sqrt(2)  # factor between the sizes in which a large photo is kept


class PhotoSampler:
    """Samples a photo (1, 3, H, W) in [0, 1]; a frame of `size` (h, w) pixels shows all of it, or its middle."""

    def __init__(self, photo: Tensor, size: tuple[int, int]) -> None:
        self._photo = photo
        self._density = min(photo.shape[-2] / size[0], photo.shape[-1] / size[1])

    def at(self, place: Similarity, size: tuple[int, int], at: Places | None = None) -> Tensor:
        """The photo as seen by a picture of `size` (h, w) at `place`, in frame pixels: (1, 3, h, w) in [0, 1].

        Between two of the kept sizes both are blended, so that the sharpness never jumps. With `at`, each pixel looks
        there and not where it is.
        """
        level = math.log(max(1.0, self._density * abs(place.factor)), _STEP)
        lower = min(int(level), len(self._levels) - 1)
        share = level - lower if lower + 1 < len(self._levels) else 0.0
        image = self._sample(lower, place, size, at)
        if share > 1e-6:
            image.lerp_(self._sample(lower + 1, place, size, at), share)
        return image.clamp_(0, 1)

    @cached_property
    def _levels(self) -> list[tuple[float, Tensor]]:
        """For each kept size, its pixels per frame pixel and its spline."""
        levels, image = [], self._photo
        while True:
            levels.append((self._density * image.shape[-1] / self._photo.shape[-1], self._kept(image)))
            smaller = (round(image.shape[-2] / _STEP), round(image.shape[-1] / _STEP))
            if levels[-1][0] <= 1 or min(smaller) < 32:
                return levels
            image = self._smaller(image, smaller)

    def _sample(self, level: int, place: Similarity, size: tuple[int, int], at: Places | None) -> Tensor:
        density, kept = self._levels[level]
        onto = Similarity(complex(density)).after(place)
        return self._seen(kept, *onto.places(size, (kept.shape[-2], kept.shape[-1]), at))

    def _kept(self, image: Tensor) -> Tensor:
        """The image prepared for `_seen`, (1, C, h, w)."""
        return coefficients(image)

    def _smaller(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        return resize(image, size)

    def _seen(self, kept: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """The values at places (h, w) in pixels: (1, C, h, w)."""
        return sample(kept, x, y)


class MaskSampler(PhotoSampler):
    """Samples masks (1, n, H, W) as the photo is sampled, but linearly: so nothing rings, and black stays black."""

    def _kept(self, image: Tensor) -> Tensor:
        return image

    def _smaller(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        return functional.adaptive_avg_pool2d(image, size)

    def _seen(self, kept: Tensor, x: Tensor, y: Tensor) -> Tensor:
        height, width = kept.shape[-2:]
        grid = torch.stack([x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1], -1)[None]
        return functional.grid_sample(kept, grid, padding_mode="reflection", align_corners=True)
