"""What a zoom's frames are made of: the photo beneath, the way through it, and how a picture there is dreamt over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from dreamer.engine.step import Step
from dreamer.errors import UsageError, collect_problems
from dreamer.image import Photo
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import Plan
from dreamer.recipes.recipe import Ingredient
from dreamer.video.clip import StateStore
from dreamer.video.zoom.path import Path
from dreamer.video.zoom.photo_sampler import PhotoSampler
from dreamer.video.zoom.similarity import Similarity
from dreamer.video.zoom.spline import coefficients, sample
from dreamer.video.zoom.zoom import Zoom

SPACING = 1.5  # what everything grows by from keyframe to keyframe
_MANY = 4  # so many names take turns
SMALLEST = 16  # px: a side of a photo, and of a frame

Look = tuple[str | None, str | None]
"""A preset and a layer that keyframes ask for; None for the command's own."""
PipelineAt = Callable[[float], Pipeline]
OnStep = Callable[[int, Step], None]
"""Told the keyframe (or, in feedback, the frame) that is being dreamt, and the step."""


def keyframe_size(size: tuple[int, int], spacing: float = SPACING) -> tuple[int, int]:
    """(height, width) of a keyframe for frames of `size`: it fills the frame from halfway (on a log scale) before its
    time."""
    beyond = math.sqrt(spacing)
    return math.ceil(size[0] * beyond), math.ceil(size[1] * beyond)


def settled_looks(looks: Mapping[Look, Pipeline], photo: Photo, size: tuple[int, int]) -> dict[Look, Pipeline]:
    """The looks of a zoom, each with its tile settled for all frames.

    Args:
        looks: The pipelines, by preset and layer.
        photo: What is zoomed into.
        size: (height, width) of the frames.

    Raises:
        UsageError: The photo or the frames are too small, or a recipe is not one for frames; every problem at once.
    """
    problems = [
        f"{width}x{height} pixels are too few for a zoom; use at least {SMALLEST} each way"
        for height, width in ((photo.height, photo.width), size)
        if min(height, width) < SMALLEST
    ]
    if problems:
        raise UsageError(*dict.fromkeys(problems))
    settled = {}
    for look, pipeline in looks.items():
        with collect_problems(problems):
            pipeline.plan_frames(*size)
            settled[look] = pipeline.settled(*keyframe_size(size))
    if problems:
        raise UsageError(*problems)
    return settled


@dataclass(frozen=True)
class Scene:
    """A photo (1, 3, H, W), how its zoom moves, and the pipeline that dreams at each time.

    Frames have `size` (h, w) pixels; `spacing` is the factor between keyframes.
    """

    photo: Tensor
    zoom: Zoom
    size: tuple[int, int]
    pipeline_at: PipelineAt
    store: StateStore
    spacing: float
    on_step: OnStep = lambda number, step: None
    _plans: dict[tuple[Pipeline, int, int], Plan] = field(default_factory=dict, compare=False, repr=False)
    """How each pipeline dreams at each size: made once for all frames."""

    @cached_property
    def path(self) -> Path:
        """The way through the photo, in long sides of the frame."""
        height, width = self.size
        aspect = (width / max(self.size), height / max(self.size))
        return Path(self.zoom.speed, self.zoom.seconds, aspect, self.spacing, whole=self.zoom.loop)

    @cached_property
    def _backdrop(self) -> PhotoSampler:
        return PhotoSampler(self.photo, self.size)

    def place(self, time: float) -> Similarity:
        """From a frame's pixels to the photo's, at the frame's scale."""
        return self.path.at(time).scaled(max(self.size))

    def undreamt(self, place: Similarity, size: tuple[int, int]) -> Tensor:
        """The photo as a picture of `size` at `place` sees it, (1, 3, h, w) in [0, 1]."""
        return self._backdrop.at(place, size)

    def strength(self, time: float) -> float:
        """How strong the dream is at a time."""
        return self.zoom.strength(time, self.pipeline_at(time).recipe.strength)

    def dreamt(self, base: Tensor, time: float, number: int, steps: int | None = None) -> Tensor:
        """The dream over `base` (1, 3, H, W), whole, by the recipe of that time; each number has a seed of its own.

        Motifs take turns, keyframe by keyframe.
        """
        pipeline = self.pipeline_at(time)
        recipe = pipeline.recipe
        turn = int(self.path.keyframe(time) + 1e-6)
        recipe = replace(
            recipe,
            seed=recipe.seed + number,
            init="photo" if number else recipe.init,
            objectives=tuple(_in_turn(item, turn) for item in recipe.objectives),
        )
        plan = self._plan(pipeline, base.shape[-2], base.shape[-1])
        dream = replace(pipeline, recipe=recipe).ascend(
            base,
            plan=plan if steps is None else plan.with_steps(steps),
            on_step=lambda step: self.on_step(number, step),
        )
        return dream.cpu()

    def _plan(self, pipeline: Pipeline, height: int, width: int) -> Plan:
        """How a pipeline dreams over pictures of a size."""
        key = (pipeline, height, width)
        if key not in self._plans:
            self._plans[key] = pipeline.plan(height, width)
        return self._plans[key]

    def kept(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """A change from the store, or made and put there, in half precision: what is kept is what is used."""
        found = self.store.load(name)
        if found is None:
            found = make().half()
            self.store.save(name, found)
        return found.float()


def _in_turn(objective: Ingredient, turn: int) -> Ingredient:
    """The objective with half of the `names` it is after, others at each turn; with all of them at first.

    Left to itself, the strongest motif of many sees itself in all that it has grown, and no other is born any more.
    """
    names = objective.options.get("names", ())
    if not turn or len(names) < _MANY:
        return objective
    chosen = tuple(names[(turn + k) % len(names)] for k in range(len(names) // 2))
    return replace(objective, options={**objective.options, "names": chosen})


def moved(change: Tensor, place: Similarity, size: tuple[int, int]) -> Tensor:
    """A change (1, 3, H, W) as a picture of `size` at `place`, in its pixels from its centre, sees it."""
    spline = coefficients(change.contiguous(memory_format=torch.channels_last))
    return sample(spline, *place.places(size, (change.shape[-2], change.shape[-1])))
