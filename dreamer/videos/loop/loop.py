"""Seamless loops over a still: the dreams of a few seeds come and go, each place at a time of its own.

Every seed's dream is made once; a frame is the photo with their changes, in shares that go round. Two that follow one
another have shares whose squares add up to 1, so that the dream stays as strong while forms of no likeness change
places; a plain mean would be faint half-way. The phase differs from place to place, as softly as clouds do: a form
opens here while another closes there. All is a function of the phase, so the end meets the start exactly, and no frame
needs another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.step import Step
from dreamer.image import resize
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.regions import areas_of, strength_in
from dreamer.videos.clip.state import StateStore

SECONDS, FPS, SEEDS = 6.0, Fraction(24), 3
_CLOUDS = 4  # bumps of the phase along the long side
_SPREAD = 0.3  # turns: standard deviation of the phase from place to place
_REST = 0.25  # share of the strength that is left of a single dream at its weakest


@dataclass(frozen=True)
class Loop:
    """A loop of so many frames over a photo (1, 3, H, W) in [0, 1].

    `seeds` dreams come and go, of the recipe's seed and those after it; a single one grows and fades.
    """

    photo: Tensor
    pipeline: Pipeline
    frames: int
    seeds: int = SEEDS
    on_step: Callable[[int, Step], None] = lambda number, step: None

    def pictures(self, store: StateStore, begin: int = 0) -> Iterator[Tensor]:
        """The frames (1, 3, H, W) in [0, 1], from number `begin` on; the dreams are in the store once they are made.

        Raises NotFiniteError, Interrupted, WriteError.
        """
        changes, phase = [self._change(number, store) for number in range(self.seeds)], self.phase()
        for number in range(begin, self.frames):
            picture = self.photo.clone()
            for change, share in zip(changes, self.shares(phase + number / self.frames), strict=True):
                picture += change.float() * share
            yield picture.clamp_(0, 1)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return self.photo.shape[-2], self.photo.shape[-1]

    @cached_property
    def _areas(self) -> Areas | None:
        """The areas of the looks, found once for all seeds; None if they are everywhere."""
        return areas_of(self.pipeline.recipe, self.pipeline.masks, self.photo, self.pipeline.registry)

    def phase(self) -> Tensor:
        """The phase of each place at the loop's start, (1, 1, H, W), in turns."""
        cell = max(self.size) / _CLOUDS
        coarse = [math.ceil(side / cell) + 1 for side in self.size]
        random = torch.Generator().manual_seed(self.pipeline.recipe.seed)
        return resize(_SPREAD * torch.randn(1, 1, *coarse, generator=random), self.size)

    def shares(self, phase: Tensor) -> list[Tensor]:
        """The strength of each dream at a phase in turns, of any shape; of several, the squares add up to 1."""
        count = self.seeds
        if count == 1:
            return [_REST + (1 - _REST) * (0.5 - 0.5 * torch.cos(2 * math.pi * phase))]
        apart = ((phase * count - number + count / 2) % count - count / 2 for number in range(count))
        return [torch.cos(math.pi / 2 * away.clamp(-1, 1)) for away in apart]

    def _change(self, number: int, store: StateStore) -> Tensor:
        """The change of a seed's dream, (1, 3, H, W) at half precision, as strong as the recipe says."""
        name = f"dream-{number:04d}"
        change = store.load(name, self.size, torch.float16)
        if change is None:
            recipe = replace(self.pipeline.recipe, seed=(self.pipeline.recipe.seed + number) % 2**63)
            pipeline = replace(self.pipeline, recipe=recipe)
            areas = self._areas
            picture = pipeline.ascend(self.photo, areas=areas, on_step=lambda step: self.on_step(number, step)).cpu()
            change = (picture.sub_(self.photo) * (recipe.strength * strength_in(recipe, areas).cpu())).half()
            store.save(name, change)
        return change
