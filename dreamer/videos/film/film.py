"""Dream over the frames of a clip: each starts with the dream of the frame before, moved along the clip's motion.

Only the dream's change, dream minus frame, is carried over, never the picture itself: so moving things leave no trails,
and an error fades with its change. A share of the change is kept, `stability`, and the same share of the steps is left
out. What is kept and what these steps add make up one whole dream again, so that it grows neither stronger nor weaker
from frame to frame. (A whole dream on top of the kept change would brighten without end.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor

from dreamer.engine.step import Step
from dreamer.errors import UsageError
from dreamer.image import resize, size_at
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import Plan, reduced
from dreamer.pipeline.preview import preview_side
from dreamer.videos.clip.encode import Frame
from dreamer.videos.clip.state import StateStore
from dreamer.videos.film.looks import Look, Looks, Sections, check_sections
from dreamer.videos.film.masks import ClipMasks
from dreamer.videos.film.motion import find_motion
from dreamer.videos.film.passage import Dreamt, Passage, Waiting
from dreamer.videos.sound.driven import STILL, Drives

STABILITY = 0.7
_MIN_SHARE = 0.05  # smallest share of the steps: what has just come into view has to be dreamt over, too


def save_change(store: StateStore, number: int, change: Tensor, kind: str = "change") -> None:
    """Save the change (1, 3, H, W) that frame `number` starts with, and delete all but the one before it.

    With the kind "masks" these are the carried masks, (1, n, H, W). Raises WriteError.
    """
    store.save(_name(kind, number), change)
    store.drop(_name(kind, number - 2))


def load_change(
    store: StateStore, number: int, size: tuple[int, int], kind: str = "change", channels: int = 3
) -> Tensor | None:
    """The change that frame `number` starts with, (1, 3, *size) at half precision; None for the first frame.

    With the kind "masks" the carried masks, (1, channels, *size). Raises UsageError when it is missing or damaged.
    """
    if number == 0:
        return None
    change = store.load(_name(kind, number), size, torch.float16, channels)
    if change is None:
        raise UsageError(
            f"the state of frame {number}, {_name(kind, number)}, is missing or damaged; --force starts the clip again"
        )
    return change


@dataclass(frozen=True)
class Film:
    """The dream over a clip, frame by frame.

    Frames are resized to a long side of `side` pixels, and cropped at the right and the bottom to the plan's size.
    `stability` is 0 where each frame is dreamt by itself, and 1 where hardly anything changes that does not move. One
    frame of `every` is dreamt over, and the changes of those between are blended. The film shows one of `step` frames
    of the clip. `drives` move strength, colours and the size of features, and `sections` have other looks.
    """

    pipeline: Pipeline
    side: int
    plan: Plan
    stability: float = STABILITY
    on_step: Callable[[Step], None] = lambda step: None
    every: int = 1
    step: int = 1
    drives: Drives = STILL
    sections: Sections = ()

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        height: int,
        width: int,
        *,
        stability: float = STABILITY,
        preview: bool = False,
        fit: Callable[[int, int], tuple[int, int]] = lambda height, width: (height, width),
        on_step: Callable[[Step], None] = lambda step: None,
        **more: Any,
    ) -> Film:
        """The film for frames of a size.

        Args:
            pipeline: Dreams over each frame.
            height: Of the source frames, in pixels.
            width: Likewise.
            stability: From 0 to 1.
            preview: Whether it is small, and dreams up to an earlier octave.
            fit: Returns the part of (height, width) that is kept, as for a format that needs even sizes.
            on_step: Called after each step.
            **more: The other fields.

        Raises:
            UsageError: The frames are too small for the network, or the recipe makes several pictures at once.
        """
        side = max(height, width)
        side = min(side, pipeline.recipe.size or side)
        size = whole = fit(*size_at(height, width, side))
        if preview and all(size):
            side = preview_side(pipeline, *size)
            size = fit(*size_at(height, width, side))
            pipeline = replace(pipeline, wholes={size: whole})
            sections = more.get("sections", ())
            more["sections"] = [(begin, replace(look, wholes={size: whole})) for begin, look in sections]
        if not all(size):
            raise UsageError(f"frames of {width}x{height} pixels are too oblong for a long side of {side}; raise it")
        with reduced(pipeline, size, (height, width)):
            plan = pipeline.plan_frames(*size)
        check_sections(pipeline, more.get("sections", ()), size)
        return cls(pipeline, side, plan, stability, on_step, **more)

    @cached_property
    def regions(self) -> ClipMasks | None:
        """The masks of the looks' regions; None if they are everywhere."""
        return ClipMasks.of(self.pipeline, self.plan.size)

    @cached_property
    def looks(self) -> Looks:
        """The look at each time, with its pipeline and plan."""
        return Looks(Look(self.pipeline, self.plan), self.sections, self.drives)

    def dreams(
        self,
        frames: Iterable[tuple[Fraction, Frame]],
        *,
        begin: int = 0,
        change: Tensor | None = None,
        masks: Tensor | None = None,
        first: int = 0,
    ) -> Iterator[Dreamt]:
        """Dream over frames.

        Args:
            frames: All frames of the clip (h, w, 3 or 4), uint8, with their times in seconds; alpha is kept as it is.
            begin: Number of the first frame to dream over.
            change: What frame `begin` starts with, (1, 3, H, W); see `load_change`.
            masks: The carried masks of the frame before it, (1, n, H, W).
            first: Number of the first of `frames`, where these are not all: the clip's first, or one after a cut.

        Raises:
            NotFiniteError: A dream became NaN or Inf.
            Interrupted: Ctrl-C was pressed.
        """
        passage = Passage(self, change, masks)
        known = (begin - 1) // self.every * self.every  # the last frame before `begin` that was dreamt over
        group: list[Waiting] = []
        for number, (now, following) in enumerate(pairwise(chain(frames, (None,))), first):
            if number < known or now is None:
                continue
            time, values = now
            waiting = Waiting(number, time, self.sized(values), self.resized(values[..., 3:]))
            if number == known:
                passage.resume(waiting)
                continue
            group.append(waiting)
            if number % self.every == 0 or following is None:
                yield from passage.dreamt(group, begin)
                group = []

    @property
    def resets(self) -> bool:
        """Whether each frame is dreamt by itself, so that nothing is carried from one to the next."""
        return self.share >= 1 and not (self.regions and self.regions.carried)

    def cut_between(self, before: Frame, now: Frame) -> bool:
        """Whether the scene changes between a frame and the next, (h, w, 3 or 4), uint8: nothing is carried over."""
        device = self.pipeline.machine.device
        return find_motion(self.sized(now).to(device), self.sized(before).to(device)).cut

    def reach(self, end: int) -> int:
        """The number of the clip's frames, if it has so many, that decide those before number `end`."""
        return -(-(end - 1) // self.every) * self.every + 1

    def sized(self, values: Frame) -> Tensor:
        """The colours of a frame (h, w, 3 or 4), uint8, at the film's size: (1, 3, H, W) in [0, 1]."""
        return self.resized(values[..., :3])

    def resized(self, values: Frame) -> Tensor:
        """Values (h, w, C), uint8, at the film's size: (1, C, H, W) in [0, 1]."""
        height, width = self.plan.size
        if not values.shape[2]:
            return torch.empty(1, 0, height, width)
        image = torch.from_numpy(values).permute(2, 0, 1)[None].float().div_(255)
        image = resize(image, size_at(values.shape[0], values.shape[1], self.side)).clamp_(0, 1)
        return image[..., :height, :width].contiguous()

    @property
    def share(self) -> float:
        """The share of a dream's steps that is taken by a frame which starts with the last one's change."""
        return max(1 - self.stability, _MIN_SHARE)


def _name(kind: str, number: int) -> str:
    return f"{kind}-{number:06d}"
