"""A dream over the frames of a clip: each begins with the dream of the one before, moved to where its things are now.

What is carried along is the dream's change, dream minus frame, never the picture itself: so nothing trails behind, and
no error of a frame outlives its change. Of the change a share is kept, `stability`, and the same share of the steps is
left out. What is kept of n steps and what is added then come to what n steps give, frame after frame: the dream grows
neither stronger nor weaker. (Adding a whole dream to each frame's, as was done first, brightens without end.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamer.engine.step import Step
from dreamer.errors import UsageError
from dreamer.image import resize, size_at
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import Plan
from dreamer.video.clip import StateStore
from dreamer.video.film.motion import find_motion

STABILITY = 0.7
_LEAST = 0.05  # share of the steps: what has just come into the picture is to be dreamt over, too

Frame = NDArray[np.uint8]


def save_change(store: StateStore, number: int, change: Tensor) -> None:
    """Keep the change that frame `number` begins with, and the one before it. Raises WriteError."""
    store.save(_name(number), change)
    store.drop(_name(number - 2))


def load_change(store: StateStore, number: int, size: tuple[int, int]) -> Tensor | None:
    """The change that frame `number` begins with, (1, 3, *size) at half precision; None for the first.

    Raises UsageError when it is not there or damaged.
    """
    if number == 0:
        return None
    change = store.load(_name(number))
    if change is None or change.shape != (1, 3, *size) or change.dtype != torch.float16:
        raise UsageError(
            f"the state of frame {number}, {_name(number)}, is missing or damaged; --force begins the clip anew"
        )
    return change


@dataclass(frozen=True)
class Dreamt:
    """A frame (H, W, 3) with its time in seconds, and the change in it, (1, 3, H, W) at half precision and at full
    strength, with which the next frame begins."""

    frame: Frame
    time: Fraction
    change: Tensor


@dataclass(frozen=True)
class Film:
    """How a clip is dreamt over: by a pipeline, with a stability from 0, each frame for itself, to 1, where hardly
    anything changes that does not move. Frames are brought to a long side of `side` pixels, and what is over the plan's
    size is cut off."""

    pipeline: Pipeline
    side: int
    plan: Plan
    stability: float = STABILITY
    on_step: Callable[[Step], None] = lambda step: None

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
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
        side = max(1, min(side, pipeline.recipe.size or side) // shrink)
        plan = pipeline.plan_frames(*fit(*size_at(height, width, side)))
        return cls(pipeline, side, plan, stability, on_step)

    def dreams(
        self, frames: Iterable[tuple[Fraction, Frame]], *, begin: int = 0, change: Tensor | None = None
    ) -> Iterator[Dreamt]:
        """The dreams of frames (h, w, 3) with their times, from number `begin` on, to which `change` belongs.

        Raises NotFiniteError, and Interrupted.
        """
        strength = self.pipeline.recipe.strength
        scorer = self.pipeline.scorer(self.plan)
        before: Tensor | None = None
        for number, (time, values) in enumerate(frames):
            if number < begin - 1:
                continue
            now = self.sized(values).to(scorer.device)
            if number >= begin:
                start = self._start(now, before, change)
                share = 1.0 if start is None else self._share
                picture = self.pipeline.ascend(
                    now, plan=self.plan, start=start, share=share, scorer=scorer, on_step=self.on_step
                )
                change = (picture - now).half().cpu()
                yield Dreamt(_eight_bits(now.cpu() + change.float() * strength), time, change)
            before = now

    def sized(self, values: Frame) -> Tensor:
        """A frame (h, w, 3) at the film's size, (1, 3, H, W) in [0, 1]."""
        image = torch.from_numpy(values).permute(2, 0, 1)[None].float().div_(255)
        height, width = self.plan.size
        image = resize(image, size_at(values.shape[0], values.shape[1], self.side)).clamp_(0, 1)
        return image[..., :height, :width].contiguous()

    @property
    def _share(self) -> float:
        """The part of a dream's steps that a frame takes which begins with the last one's."""
        return max(1 - self.stability, _LEAST)

    def _start(self, now: Tensor, before: Tensor | None, change: Tensor | None) -> Tensor | None:
        """The frame with what is kept of the last one's change, moved along; None where nothing is."""
        if before is None or change is None or self._share >= 1:
            return None
        motion = find_motion(now, before)
        return None if motion.cut else now + motion.carry(change.float().to(now.device)) * (1 - self._share)


def _name(number: int) -> str:
    return f"change-{number:06d}"


def _eight_bits(picture: Tensor) -> Frame:
    """A picture (1, 3, H, W) as a frame (H, W, 3), its values limited and rounded."""
    return picture[0].permute(1, 2, 0).mul(255).round_().clamp_(0, 255).byte().numpy()
