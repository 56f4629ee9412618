"""A dream over the frames of a clip: each begins with the dream of the one before, moved to where its things are now.

What is carried along is the dream's change, dream minus frame, never the picture itself: so nothing trails behind, and
no error of a frame outlives its change. Of the change a share is kept, `stability`, and the same share of the steps is
left out. What is kept of n steps and what is added then come to what n steps give, frame after frame: the dream grows
neither stronger nor weaker. (Adding a whole dream to each frame's, as was done first, brightens without end.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dreamer.composition import Composition
from dreamer.film.motion import find_motion
from dreamer.image import Photo
from dreamer.step import Step

STABILITY = 0.7
_LEAST = 0.05  # share of the steps: what has just come into the picture is to be dreamt over, too

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Dreamt:
    """A frame (H, W, 3) with its time in seconds, and the change in it, (1, 3, H, W) at half precision and at full
    strength, with which the next frame begins."""

    frame: Frame
    time: Fraction
    change: Tensor


@dataclass(frozen=True)
class Film:
    """How a clip is dreamt over: by a composition, with a stability from 0, each frame for itself, to 1, where hardly
    anything changes that does not move. Frames are brought to a long side of `side` pixels, and what is over `size`
    (height, width) is cut off."""

    composition: Composition
    side: int
    size: tuple[int, int]
    stability: float = STABILITY
    on_step: Callable[[Step], None] = lambda step: None

    @classmethod
    def of(
        cls,
        composition: Composition,
        height: int,
        width: int,
        *,
        stability: float = STABILITY,
        shrink: int = 1,
        fit: Callable[[int, int], tuple[int, int]] = lambda height, width: (height, width),
        on_step: Callable[[Step], None] = lambda step: None,
    ) -> Film:
        """The film of frames of this size, brought to the recipe's and then shrunk `shrink` times; `fit` says how much
        of (height, width) is kept. Raises UsageError when that is too small for the network, and for a recipe of
        several pictures at once."""
        side = max(height, width)
        side = max(1, min(side, composition.recipe.size or side) // shrink)
        whole = Photo(np.zeros((height, width, 3), np.uint8)).resized(side)
        film = cls(composition, side, fit(whole.height, whole.width), stability, on_step)
        composition.check_frame(film.blank)
        return film

    @property
    def blank(self) -> Photo:
        """A frame of the film, black."""
        return Photo(np.zeros((*self.size, 3), np.uint8))

    def dreams(
        self, frames: Iterable[tuple[Fraction, Frame]], *, begin: int = 0, change: Tensor | None = None
    ) -> Iterator[Dreamt]:
        """The dreams of frames (h, w, 3) with their times, from number `begin` on, to which `change` belongs.

        Raises NotFiniteError, and Interrupted.
        """
        recipe = self.composition.recipe
        whole = replace(self.composition, recipe=replace(recipe, strength=1.0))
        device = self.composition.machine.device
        before: Tensor | None = None
        for number, (time, values) in enumerate(frames):
            if number < begin - 1:
                continue
            photo = self.sized(values)
            now = photo.image().to(device)
            if number >= begin:
                change = self._change(whole, photo, now, before, change)
                pixels = photo.with_change(change.float() * recipe.strength)
                yield Dreamt(pixels, time, change)
            before = now

    def sized(self, values: Frame) -> Photo:
        """A frame at the film's size."""
        height, width = self.size
        return Photo(np.ascontiguousarray(Photo(values).resized(self.side).pixels[:height, :width]))

    def _change(
        self, whole: Composition, photo: Photo, now: Tensor, before: Tensor | None, change: Tensor | None
    ) -> Tensor:
        share = max(1 - self.stability, _LEAST)
        carried = None
        if before is not None and change is not None and share < 1:
            motion = find_motion(now, before)
            if not motion.cut:
                carried = motion.carry(change.float().to(now.device)) * (1 - share)
        dream = whole.dream(photo, carried=carried, share=1.0 if carried is None else share, on_step=self.on_step)
        return dream.change.half()
