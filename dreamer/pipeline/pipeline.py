"""A checked recipe with everything that it names, and how a picture becomes a dream by it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from dreamer.engine.areas import Areas
from dreamer.engine.ascent import Ascent
from dreamer.engine.canvas_ascent import CanvasAscent
from dreamer.engine.cutout import Cutout, finished, halved
from dreamer.engine.device import Machine
from dreamer.engine.gradient_overrides import GradientOverrides
from dreamer.engine.keeping import is_grey, salience
from dreamer.engine.objective import WeightedObjective
from dreamer.engine.render import render
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.errors import Interrupted, RecipeError, argument, collect_problems, reported_together
from dreamer.image import Edges, Photo
from dreamer.networks.network import Network
from dreamer.networks.randomness import Randomness
from dreamer.pipeline import regions
from dreamer.pipeline.bind import IngredientBinder, PictureFeatures, overview
from dreamer.pipeline.demand import MAX_PIXELS, check_pixels
from dreamer.pipeline.dream import Dream
from dreamer.pipeline.plan import Plan, check_frames, layers_of, look_memory, plan_octaves, plan_tile, smallest_side
from dreamer.pipeline.poles import ascend_sphere, check_sphere
from dreamer.pipeline.session import Session
from dreamer.pipeline.start import start_of
from dreamer.recipes.recipe import Recipe
from dreamer.recipes.registry import BUILT_IN, Registry

Notify = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Everything that several pictures share: a checked recipe, its network and ingredients, a machine.

    `replace(pipeline, recipe=...)` is another recipe in the same session: nothing is prepared again.
    """

    recipe: Recipe
    session: Session
    registry: Registry
    machine: Machine
    notify: Notify = field(default=lambda sentence: None)
    own: WeightedObjective | None = None
    """An objective given in Python, instead of the recipe's."""
    starts: Tensor | None = None
    """The pictures to start from, (pictures, 3, H, W), instead of what `init` says."""
    weights_file: str = ""
    """The name of the file with the network's weights, where somebody gave one."""
    max_pixels: int = MAX_PIXELS
    """The most pixels of all pictures together."""
    masks: tuple[Photo, ...] = ()
    """The pictures of the regions' masks."""
    memory: int | None = None
    """The bytes that one pass may take, so that tiles are the same wherever; else they follow from what is free."""
    overview: PictureFeatures | None = None
    """The whole photo that is dreamt over; set by `over`."""
    wholes: Mapping[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """By a preview's size (height, width), the size of the picture that it is a preview of."""

    @property
    def network(self) -> Network:
        """The network that dreams."""
        return self.session.network

    @property
    def guide(self) -> Photo | None:
        """The picture whose features are to grow, if there is one."""
        return self.session.guide.photo if self.session.guide else None

    @property
    def edges(self) -> Edges:
        """Where the pictures go round."""
        return Edges.of(self.recipe.wrap)

    @cached_property
    def terms(self) -> tuple[WeightedObjective, ...]:
        """The objectives, each at its layer with its weight."""
        return (self.own,) if self.own else self.binder.terms()

    @property
    def layers(self) -> list[str]:
        """The layers that the objectives look at."""
        return layers_of(self.terms)

    def to_dict(self) -> dict[str, object]:
        """The whole recipe as nested dicts and lists, defaults too."""
        return self.recipe.to_dict(self.registry.vocabulary)

    @property
    def plugins(self) -> frozenset[str]:
        """The distributions of the plugins that the recipe needs."""
        sources = {entry.source for entry in self.binder.used()}
        with suppress(RecipeError):  # a network that was handed over has no name here
            sources.add(self.registry.networks.get(self.recipe.network).source)
        sources |= {regions.segmenter_of(region.mask, self.registry) for region in self.recipe.regions}
        return frozenset(sources - {BUILT_IN, ""})

    @cached_property
    def binder(self) -> IngredientBinder:
        """The recipe's ingredients as functions."""
        return IngredientBinder(self.recipe, self.network, self.registry, self.session.guide, self.overview)

    def over(self, image: Tensor) -> Pipeline:
        """This pipeline, choosing motifs and the like by one photo (1, 3, H, W) for all pictures made from it."""
        return replace(self, overview=overview(image, self.network, self.machine.device))

    def check(self) -> None:
        """Raises UsageError for what the ingredients refuse; of a picture from nothing, for its size, too."""
        with reported_together() as problems:
            with collect_problems(problems):
                self.binder.check()
            with collect_problems(problems):
                regions.check(self.recipe, over_photo=self.recipe.init != "canvas" and not self.own)
                if self.recipe.init == "canvas" and self.recipe.size:
                    self.plan(self.recipe.size, self.recipe.size)

    def plan(self, height: int, width: int, *, check_memory: bool = True) -> Plan:
        """Plan octaves, tile and machine for pictures of this size; `check_memory=False` lets them exceed the memory.

        Raises UsageError, before anything is made, where network, optimiser, memory or tiles do not allow it.
        """
        check_pixels(self.recipe, height, width, self.max_pixels)
        if self.recipe.wrap == "sphere":
            check_sphere(height, width)
        wanted, whole = self.recipe.octaves, self.wholes.get((height, width))
        octaves = plan_octaves(wanted, self.network, self.terms, height, width, whole, self.edges)
        demand = self.session.demand(self.binder, height, width)
        demand.check(self.recipe, self.max_pixels)
        count, high, wide = demand.seen
        tile = plan_tile(self.machine, self.network, self.terms, high, wide, count, self.memory)
        pixels = high * wide * count if self.on_pixels else 0  # an optimiser goes as far by a faint, inexact gradient
        precision = self.session.precision(self.machine.precision, tuple(self.layers), pixels)
        plan = Plan(octaves, replace(self.machine, tile=tile, precision=precision))
        if check_memory:
            demand.check_memory(plan.machine, look_memory(tile, self.network, self.terms, high, wide, count))
        self.binder.check_canvas(plan.size)
        return plan

    def plan_frames(self, height: int, width: int) -> Plan:
        """The plan for a clip's frames: UsageError for a recipe of several pictures at once as well."""
        check_frames(self.recipe)
        return self.plan(height, width)

    def settled(self, height: int, width: int) -> Pipeline:
        """This pipeline with its tile settled, so that all frames of a clip, none larger than this, are cut alike."""
        return replace(self, machine=self.plan(height, width).machine)

    def remarks(self, height: int, width: int) -> list[str]:
        """Sentences about what the recipe asks for and a picture of this size cannot have."""
        told = regions.remarks(self.recipe, self.masks, height, width)
        wanted, short = self.recipe.octaves.feature_size, min(height, width)
        if wanted is not None and (whole := smallest_side(wanted, self.network, self.terms)) > short:
            told.append(
                f"features are {wanted * whole / short:.0f} % of the short side at least, and not {wanted:g} %, in a "
                f"picture of {width}x{height} pixels; a larger {argument('size')} has smaller ones"
            )
        return told

    def sized(self, photo: Photo) -> Photo:
        """The photo at the recipe's size: a long side over it is shortened."""
        return photo.at_most(self.recipe.size, self.edges) if self.recipe.size else photo

    def scorer(self, plan: Plan) -> Scorer:
        """The scorer for a plan; afterwards it tells which tile and precision were used."""
        return Scorer(
            self.network,
            self.terms,
            device=torch.device(plan.machine.device),
            precision=plan.machine.dtype,
            tile=plan.machine.tile,
            notify=self.notify,
            prepare=partial(self.session.prepared, tuple(self.layers)),
            overrides=GradientOverrides(self.recipe.redirect, self.recipe.smooth_pooling, self.recipe.weight_noise),
            edges=self.edges,
        )

    def ascend(
        self,
        image: Tensor,
        *,
        plan: Plan | None = None,
        start: Tensor | None = None,
        share: float = 1.0,
        scorer: Scorer | None = None,
        areas: Areas | None = None,
        on_step: Callable[[Step], None] = lambda step: None,
        snapshots: Collection[int] = (),
        on_snapshot: Callable[[int, Tensor], None] = lambda number, picture: None,
    ) -> Tensor:
        """Dream over an image at full strength: the engine's front door.

        Args:
            image: (1, 3, H, W) in [0, 1], on any device.
            plan: The result of `plan(H, W)`; made here by default.
            start: The image with an earlier dream on it, (1, 3, H, W), to be dreamt on; the image sets the limits.
            share: The part of the recipe's steps to do, from 0 to 1.
            scorer: The result of `scorer(plan)`, for callers that want to know which tile and precision were used.
            areas: Where the regions' looks are, if not where the masks say; where nothing is left, nothing grows.
            on_step: Called with each `Step`.
            snapshots: After which steps, counted from 1 over all octaves, `on_snapshot` gets the whole picture.
            on_snapshot: Given the step's number and the picture (B, 3, H, W).

        Returns:
            The dream, (B, 3, H, W) in [0, 1] on the plan's device, with B = `recipe.pictures`; of cut-outs, so many
            alphas behind them (`engine.cutout.finished`).

        Raises:
            UsageError: The image is too small, or cannot be dreamt in tiles.
            NotFiniteError: The network gave NaN or Inf.
            Interrupted: Somebody pressed Ctrl-C; its `picture` is the dream so far.
        """
        plan = plan or self.plan(image.shape[-2], image.shape[-1])
        scorer, device = scorer or self.scorer(plan), torch.device(plan.machine.device)
        image = image.to(device)
        if areas is None:
            areas = regions.areas_of(self.recipe, self.masks, image, self.registry)
        elif not (areas := areas.to(image)).whole.any():
            return image if start is None else start.to(device)
        image = image.expand(self.recipe.pictures * (2 if self.recipe.cutout else 1), -1, -1, -1)
        start = self.starts if start is None else start
        with Randomness(self.recipe.seed) as random:
            return render(
                image,
                start_of(self.recipe, image) if areas is None else areas.blended(image, start_of(self.recipe, image)),
                plan.lessened(share).octaves,
                self._ascent_with(scorer),
                start=None if start is None else start.to(device),
                reinject=self.recipe.octaves.reinject,
                areas=areas,
                edges=self.edges,
                on_step=random.outside(on_step),
                snapshots=snapshots,
                on_snapshot=random.outside(on_snapshot),
            )

    def dream(
        self,
        photo: Photo,
        *,
        plan: Plan | None = None,
        on_step: Callable[[Step], None] = lambda step: None,
        snapshots: Collection[int] = (),
        on_snapshot: Callable[[int, Dream], None] = lambda number, dream: None,
    ) -> Dream:
        """Dream over a photo that has its final size; see `ascend`. Interrupted carries the Dream so far."""
        plan, image = plan or self.plan(photo.height, photo.width), photo.image()
        over = self.over(image) if self.recipe.init == "photo" else self
        scorer, shares = over.scorer(plan), regions.strength_of(self.recipe, self.masks, image, self.registry)
        strength = self.recipe.strength * shares.to(plan.machine.device)

        def dreamt(picture: Tensor) -> Dream:
            picture, alpha = finished(picture) if self.recipe.cutout else (picture, None)
            change = picture - image.to(picture.device)
            precision = str(scorer.precision).removeprefix("torch.")
            machine = replace(plan.machine, tile=scorer.tile, precision=precision)
            return Dream(photo, change.mul_(strength).cpu(), machine, None if alpha is None else alpha.cpu())

        try:
            picture = (partial(ascend_sphere, over) if self.recipe.wrap == "sphere" else over.ascend)(
                image,
                plan=plan,
                scorer=scorer,
                on_step=on_step,
                snapshots=snapshots,
                on_snapshot=lambda number, picture: on_snapshot(number, dreamt(picture)),
            )
        except Interrupted as stop:
            raise Interrupted(dreamt(stop.picture)) from None
        return dreamt(picture)

    def _ascent_with(self, scorer: Scorer) -> Callable[[StepContext], Ascent | CanvasAscent]:
        """A function that makes an octave's ascent from its first context."""
        bind = {kind: self.binder.all(kind) for kind in ("gradient_filters", "updates")}
        transforms, priors, keeps = self.binder.transforms(), self.binder.priors(), self.binder.keeps_gradient()

        def ascent_at(context: StepContext) -> Ascent | CanvasAscent:
            seen = halved(context) if self.recipe.cutout else context
            weights = scorer.balance(seen.image, seen) if self._balances else ()
            on_photo = self.recipe.init == "photo" and not self.recipe.cutout  # else nothing is there to be spared
            ascent = Ascent(
                partial(scorer.gradient, weights=weights),
                score=partial(scorer.score, weights=weights),
                transforms=transforms,
                priors=priors,
                colour=1.0 if on_photo and self.recipe.colour and is_grey(context.image) else self.recipe.colour,
                spare=self.recipe.spare,
                salience=salience(context.photo, context.edges) if on_photo and self.recipe.spare else None,
                keeps_gradient=keeps,
                areas=context.areas,
                edges=context.edges,
                **bind,
            )
            if self.on_pixels:
                return ascent
            over = self.recipe.init != "canvas" or context.step.octave > 0
            climbed = Cutout(ascent) if self.recipe.cutout else ascent
            return CanvasAscent(climbed, self.binder.canvas(context), self.binder.optimiser, over=over)

        return ascent_at

    @property
    def _balances(self) -> bool:
        return len(self.recipe.grown) > 1 if self.recipe.balance is None else self.recipe.balance

    @property
    def on_pixels(self) -> bool:
        """Whether the dream's own step climbs in the picture itself: no canvas has to stand between."""
        plain = (self.recipe.canvas.name, self.recipe.optimiser.name) == (Recipe.canvas.name, Recipe.optimiser.name)
        return plain and not self.recipe.cutout
