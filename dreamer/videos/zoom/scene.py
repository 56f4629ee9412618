"""The scene of a zoom: the photo, the path through it, and the dream over the photo at a place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.colour import hold
from dreamer.engine.step import Step
from dreamer.errors import UsageError, argument, collect_problems, either, reported_together
from dreamer.image import Photo
from dreamer.pipeline.pipeline import Pipeline
from dreamer.pipeline.plan import Plan, reduced
from dreamer.pipeline.regions import areas_of, strength_in
from dreamer.recipes.recipe import Ingredient
from dreamer.videos.clip.state import StateStore
from dreamer.videos.zoom.depth.relief import Relief
from dreamer.videos.zoom.path import Path
from dreamer.videos.zoom.photo_sampler import MaskSampler, PhotoSampler
from dreamer.videos.zoom.similarity import Places, Similarity
from dreamer.videos.zoom.spline import coefficients, sample
from dreamer.videos.zoom.zoom import Zoom

SIZE = 1280  # px: the default for the long side of the frames; smaller photos keep their size
SPACING = 1.5  # factor by which everything grows from keyframe to keyframe
_MANY = 4  # names from which on half of them take turns
_EXACT = 1e-4  # error of a share that sampling leaves at whole pixels
SMALLEST = 16  # px: a side of a photo, and of a frame

Look = tuple[str | None, str | None]
"""A preset and a layer that keyframes ask for; None for the command's own."""
PipelineAt = Callable[[float], Pipeline]
OnStep = Callable[[int, Step], None]
"""Called with the number of the keyframe (in feedback, of the frame) that is being dreamt, and the step."""


def keyframe_size(size: tuple[int, int], spacing: float = SPACING) -> tuple[int, int]:
    """The (height, width) of a keyframe for frames of `size` (height, width).

    It is larger than a frame, so that it fills the frame from halfway (on a log scale) before its time.
    """
    beyond = math.sqrt(spacing)
    return math.ceil(size[0] * beyond), math.ceil(size[1] * beyond)


@lru_cache(maxsize=1)
def path_of(zoom: Zoom, size: tuple[int, int], spacing: float = SPACING) -> Path:
    """The path of a zoom whose frames have `size` (h, w), in long sides of the frame."""
    height, width = size
    return Path(zoom.speed, zoom.seconds, (width / max(size), height / max(size)), spacing, whole=zoom.loop)


def settled_looks(looks: Mapping[Look, Pipeline], photo: Photo, size: tuple[int, int]) -> dict[Look, Pipeline]:
    """The looks of a zoom, each with its tile settled for all frames.

    Args:
        looks: The pipelines, by preset and layer.
        photo: What is zoomed into.
        size: (height, width) of the frames.

    Raises:
        UsageError: The photo or the frames are too small, or a recipe is not one for frames; every problem at once.
    """
    _check_size(photo, size)
    settled, image = {}, photo.image()
    with reported_together() as problems:
        if len({pipeline.recipe.places for pipeline in looks.values()}) > 1:
            problems.append(
                "regions: the looks of a zoom's keyframes have different ones, and a zoom has the same throughout; "
                f"name them for all looks ({either('regions=[...]', '--region')})"
            )
        for look, pipeline in looks.items():
            with collect_problems(problems):
                with reduced(pipeline, size, (photo.height, photo.width)):
                    pipeline.plan_frames(*size)
                settled[look] = pipeline.settled(*keyframe_size(size)).over(image)
        first = next(iter(settled.values()), None)
        if first and not problems:
            with collect_problems(problems):
                areas_of(first.recipe, first.masks, image, first.registry) if first.recipe.regions else None
    return settled


def _check_size(photo: Photo, size: tuple[int, int]) -> None:
    """Raises UsageError for a photo that is too small for a zoom, or else frames (h, w) of it that are."""
    where, (height, width) = f"{photo.path}: " if photo.path else "", size
    if min(photo.height, photo.width) < SMALLEST:
        what = f"{photo.width}x{photo.height} pixels are too few for a zoom"
        raise UsageError(f"{where}{what}; use at least {SMALLEST} each way")
    if min(size) < SMALLEST:
        what = f"frames of {width}x{height} pixels are too few for a zoom, which needs {SMALLEST} each way"
        raise UsageError(
            f"{where}{what}; a larger {argument('size')} helps, since the photo is {photo.width}x{photo.height}"
        )


@dataclass(frozen=True)
class Scene:
    """A photo (1, 3, H, W) in [0, 1], how its zoom moves, and the pipeline that dreams at each time.

    Frames have `size` (h, w) pixels; `spacing` is the factor between keyframes; `store` holds changes between frames.
    """

    photo: Tensor
    zoom: Zoom
    size: tuple[int, int]
    pipeline_at: PipelineAt
    store: StateStore
    spacing: float
    on_step: OnStep = lambda number, step: None
    relief: Relief | None = None
    """The nearness of the photo's parts, if the camera moves in depth."""
    looks: Tensor | None = None
    """The share of each region's look in the photo, (1, looks, H, W), if they are not the recipe's."""
    _plans: dict[tuple[Pipeline, int, int], Plan] = field(default_factory=dict, compare=False, repr=False)
    """The plan of each pipeline at each size, made once for all frames."""
    _sizes: dict[tuple[Pipeline, float], Pipeline] = field(default_factory=dict, compare=False, repr=False)
    """The pipelines with driven sizes of features."""

    @cached_property
    def path(self) -> Path:
        """The path through the photo, in long sides of the frame."""
        return path_of(self.zoom, self.size, self.spacing)

    @cached_property
    def _sampler(self) -> PhotoSampler:
        return PhotoSampler(self.photo, self.size)

    def place(self, time: float) -> Similarity:
        """The similarity from a frame's points at a time to the photo's, in frame pixels."""
        place = self.path.at(time).scaled(max(self.size))
        return Similarity(complex(self.relief.inset)).after(place) if self.relief else place

    def photo_at(self, place: Similarity, size: tuple[int, int], at: Places | None = None) -> Tensor:
        """The photo as seen by a picture of `size` (h, w) at `place`: (1, 3, h, w) in [0, 1].

        With `at`, each pixel looks there and not where it is, here and below.
        """
        return self._sampler.at(place, size, at)

    def shares_at(self, place: Similarity, size: tuple[int, int], at: Places | None = None) -> Tensor:
        """The share of each region's look as seen by a picture of `size` (h, w) at `place`: (1, looks, h, w) in [0, 1].

        The regions are the photo's, those by formula, too, and move with it.
        """
        assert self._masks
        return self._masks.at(place, size, at)

    @cached_property
    def shares(self) -> Tensor | None:
        """The share of each region's look in the photo, (1, looks, H, W); None where they are everywhere."""
        pipeline = self.pipeline_at(0.0)
        if self.looks is not None:
            return self.looks
        areas = areas_of(pipeline.recipe, pipeline.masks, self.photo, pipeline.registry)
        return areas.shares.transpose(0, 1) if areas else None

    @cached_property
    def _masks(self) -> MaskSampler | None:
        return None if self.shares is None else MaskSampler(self.shares, self.size)

    @property
    def has_regions(self) -> bool:
        """Whether the looks grow in regions only."""
        return self._masks is not None

    def strength(self, time: float) -> float:
        """The strength of the dream at a time, from 0 to 1, beside that of its regions."""
        return self.zoom.strength(time, self.pipeline_at(time).recipe.strength)

    def strength_in(self, areas: Areas | None, time: float) -> Tensor | float:
        """The strength of the dream at each place, (1, 1, h, w) where that differs, given where the looks are."""
        own = self.strength(time)
        return own if areas is None else own * strength_in(self.pipeline_at(time).recipe, areas)

    def tinted(self, change: Tensor, time: float) -> Tensor:
        """A change (1, 3, h, w) with the colours that the drives give it at a time, in place."""
        gain = self.zoom.colour_gain(time, self.pipeline_at(time).recipe.colour)
        if gain != 1:
            hold(change, 1 - gain)
        return change

    def dream(
        self, base: Tensor, time: float, number: int, steps: int | None = None, areas: Areas | None = None
    ) -> Tensor:
        """Dream over a picture at full strength, by the recipe of a time; motifs take turns, keyframe by keyframe.

        Args:
            base: (1, 3, H, W) in [0, 1].
            time: In seconds.
            number: Of the keyframe or frame, each of which has a seed of its own.
            steps: Steps per octave, if not the recipe's.
            areas: Where the looks are in that picture, if not everywhere.

        Returns:
            The dream, (1, 3, H, W), on the CPU.
        """
        pipeline = self._sized(self.pipeline_at(time), time)
        recipe = pipeline.recipe
        plan = self._plan(pipeline, base.shape[-2], base.shape[-1])
        plan = plan if steps is None else plan.with_steps(steps)
        turn = int(self.path.keyframe(time) + 1e-6)
        objectives = tuple(_in_turn(item, turn) for item in recipe.objectives)
        init = "photo" if number else recipe.init
        regions = tuple(replace(r, objectives=tuple(_in_turn(o, turn) for o in r.objectives)) for r in recipe.regions)
        recipe = replace(recipe, seed=recipe.seed + number, init=init, objectives=objectives, regions=regions)
        now = replace(pipeline, recipe=recipe)
        return now.ascend(base, plan=plan, areas=areas, on_step=partial(self.on_step, number)).cpu()

    def _sized(self, pipeline: Pipeline, time: float) -> Pipeline:
        """The pipeline with the size of features that the drives ask for at a time."""
        size = self.zoom.driven("feature_size", time)
        if size is None:
            return pipeline
        rounded = round(2 * size) / 2  # so that there are few plans
        if (pipeline, rounded) not in self._sizes:
            octaves = replace(pipeline.recipe.octaves, count=None, feature_size=rounded)
            self._sizes[pipeline, rounded] = replace(pipeline, recipe=replace(pipeline.recipe, octaves=octaves))
        return self._sizes[pipeline, rounded]

    def _plan(self, pipeline: Pipeline, height: int, width: int) -> Plan:
        """The plan of a pipeline for pictures of a size."""
        key = (pipeline, height, width)
        if key not in self._plans:
            self._plans[key] = pipeline.plan(height, width)
        return self._plans[key]


def areas_from(shares: Tensor) -> Areas:
    """Areas given the share of each look, (1, looks, h, w), where next to nothing is nothing and next to all is all."""
    shares = torch.where(shares < _EXACT, 0.0, shares)
    return Areas(torch.where(shares > 1 - _EXACT, 1.0, shares).transpose(0, 1))


def _in_turn(objective: Ingredient, turn: int) -> Ingredient:
    """The objective with half of its `names`, others at each turn; with all of them at turn 0.

    Otherwise the strongest of many motifs would find itself in everything it has grown, and crowd out all others.
    """
    names = objective.options.get("names", ())
    if not turn or len(names) < _MANY:
        return objective
    chosen = tuple(names[(turn + k) % len(names)] for k in range(len(names) // 2))
    return replace(objective, options={**objective.options, "names": chosen})


def moved(change: Tensor, place: Similarity, size: tuple[int, int]) -> Tensor:
    """A change (1, 3, H, W) as seen by a picture of `size` (h, w) at `place`, in pixels: (1, 3, h, w)."""
    spline = coefficients(change.contiguous(memory_format=torch.channels_last))
    return sample(spline, *place.places(size, (change.shape[-2], change.shape[-1])))
