"""A checked recipe with everything that it names, and how a photo becomes a dream by it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from dreamer.ascent import Ascent
from dreamer.binding import Binding
from dreamer.errors import Interrupted, NetworkError, RecipeError, UsageError, gathered
from dreamer.image import Photo
from dreamer.lens import GradientOverrides
from dreamer.machine import Machine, free_memory
from dreamer.network import Network
from dreamer.painting import CanvasAscent
from dreamer.pyramid import Octave, octave_sizes, rising_sizes
from dreamer.recipe import Recipe
from dreamer.registry import BUILT_IN, Registry
from dreamer.render import render
from dreamer.result import Dream
from dreamer.sight import Scorer, WeightedObjective, largest_tile, looked_at
from dreamer.step import Step, StepContext
from dreamer.tiles import refuse_whole

Say = Callable[[str], None]


@dataclass(frozen=True)
class Composition:
    """Everything that several photos share: a checked recipe, its network and ingredients, a machine."""

    recipe: Recipe
    network: Network
    registry: Registry
    machine: Machine
    guide: Photo | None = None
    say: Say = field(default=lambda sentence: None)
    own: WeightedObjective | None = None
    """An objective of Python's, in the place of the recipe's."""
    starts: Tensor | None = None
    """What each of the pictures begins with, (pictures, 3, H, W), where that is not what `init` says."""
    _fast: dict[Any, Network] = field(default_factory=dict, compare=False, repr=False)
    """Networks made fast, kept for the next frames of a clip; `replace` passes them on."""

    @property
    def terms(self) -> tuple[WeightedObjective, ...]:
        """What is climbed."""
        return (self.own,) if self.own else self.binding.terms()

    @property
    def layers(self) -> list[str]:
        """The layers that the objectives look at."""
        if self.own:
            return list(self.own.layers)
        return list(dict.fromkeys(str(item.layer) for item in self.recipe.objectives))

    def words(self) -> dict[str, Any]:
        """The whole recipe in words."""
        return self.recipe.words(self.registry.vocabulary)

    @property
    def plugins(self) -> frozenset[str]:
        """The distributions of the plugins that the recipe needs."""
        sources = {entry.source for entry in self.binding.used()}
        with suppress(RecipeError):  # a network that was handed over has no name here
            sources.add(self.registry.networks.get(self.recipe.network).source)
        return frozenset(sources - {BUILT_IN})

    @cached_property
    def binding(self) -> Binding:
        """The recipe's ingredients as functions."""
        return Binding(self.recipe, self.network, self.registry, self.guide, self.machine.device)

    def check(self) -> None:
        """Raises UsageError for what the ingredients refuse; of a picture from nothing, for its size, too."""
        problems: list[str] = []
        with gathered(problems):
            self.binding.check()
        side = self.recipe.size
        if self.recipe.init == "canvas" and side:
            with gathered(problems):
                self._octaves(side, side)
        if problems:
            raise UsageError(*problems)

    def check_frame(self, photo: Photo) -> None:
        """Whether a clip's frames can be dreamt, of which this is one: raises UsageError for one that is too small for
        the network, and for a recipe of several pictures at once."""
        if self.recipe.pictures > 1:
            raise UsageError("pictures: the frames of a clip are dreamt one at a time; leave it out")
        self.octaves(photo)

    def octaves(self, photo: Photo) -> list[Octave]:
        """The octaves for a photo of this size; raises UsageError when one is too small for the network."""
        return self._octaves(photo.height, photo.width)

    def _octaves(self, height: int, width: int) -> list[Octave]:
        plan = self.recipe.octaves
        if plan.feature_size is None:
            sizes = octave_sizes(height, width, smallest=plan.smallest, scale=plan.scale, count=plan.count)
        else:
            sizes = rising_sizes(height, width, smallest=self._smallest(plan.feature_size), scale=plan.scale)
        sizes = self._large_enough(sizes, all_wanted=bool(plan.count or plan.feature_size))
        self.binding.check_canvas(sizes[-1])
        return [Octave(size, plan.steps, plan.step_size) for size in sizes]

    def _large_enough(self, sizes: list[tuple[int, int]], *, all_wanted: bool) -> list[tuple[int, int]]:
        """The octaves that the network can look at, and that whole motifs fit in; at least the last, or all if wanted.

        Raises NetworkError when the network cannot look at them.
        """
        if not all_wanted:
            widest = max(self._figures().values(), default=0)
            sizes = [size for size in sizes if min(size) >= widest] or sizes[-1:]
        while True:
            try:
                self.network.sizes(*sizes[0], self.layers)
            except NetworkError:
                if all_wanted or len(sizes) == 1:
                    raise
                sizes = sizes[1:]
            else:
                return sizes  # larger ones are large enough too

    def _smallest(self, feature_size: float) -> int:
        """The shortest side of the first octave, where features grow to that percentage of it.

        What a position sees has full weight only near its centre (Luo 2016): half of a field is taken for a feature,
        where none has a width of its own, as whole motifs have.
        """
        known = [self.network.layer(name) for name in self.layers]
        whole = self._figures()
        features = [
            whole.get(layer.name, max(layer.rows.size, layer.columns.size) / 2)
            for layer in known
            if layer.rows and layer.columns
        ]
        if not features:
            raise UsageError(
                f"octaves.feature_size: layer {known[0].name} looks at the whole picture ({known[0].whole}), so that "
                "its features have no size of their own; leave it out, or choose an earlier layer"
            )
        return max(1, round(max(features) * 100 / feature_size))

    def _figures(self) -> dict[str, int]:
        """How many pixels wide whole motifs are, at the layers where an objective dreams such."""
        layers = {term.layer for term in self.terms if term.context} & self.network.figures.keys()
        strides = {name: rows.stride for name in layers if (rows := self.network.layer(name).rows)}
        return {name: self.network.figures[name][1].shape[-1] * stride for name, stride in strides.items()}

    def remarks(self, photo: Photo) -> list[str]:
        """What of the recipe cannot be had at a photo's size, a sentence each."""
        wished, short = self.recipe.octaves.feature_size, min(photo.width, photo.height)
        if wished is None or (whole := self._smallest(wished)) <= short:
            return []
        return [
            f"features are {wished * whole / short:.0f} % of the short side at least, and not {wished:g} %, in a "
            f"picture of {photo.width}x{photo.height} pixels; a larger --size has smaller ones"
        ]

    def sized(self, photo: Photo) -> Photo:
        """The photo at the recipe's size: a long side over it is shortened."""
        side = self.recipe.size
        return photo.at_most(side) if side else photo

    def dream(
        self,
        photo: Photo,
        *,
        carried: Tensor | None = None,
        share: float = 1.0,
        on_step: Callable[[Step], None] = lambda step: None,
        snapshots: Collection[int] = (),
        on_snapshot: Callable[[int, Dream], None] = lambda number, dream: None,
    ) -> Dream:
        """Dream over a photo that has its final size.

        `carried` is a change (1, 3, H, W) that the photo has from an earlier dream, to be dreamt on; `share` is the
        part of the recipe's steps to do.
        Raises UsageError, NotFiniteError, and Interrupted with the Dream so far.
        """
        octaves = [octave.lessened(share) for octave in self.octaves(photo)]
        machine = replace(self.machine, tile=self.tile(photo))
        device = torch.device(machine.device)
        image = photo.image().to(device).expand(self.recipe.pictures, -1, -1, -1)
        canvas = self._start(image)
        start = self.starts if carried is None else image + carried.to(device)
        sight = Scorer(
            self.network,
            self.terms,
            device=device,
            precision=machine.dtype,
            tile=machine.tile,
            say=self.say,
            prepare=self._prepared,
            overrides=GradientOverrides(self.recipe.redirect, self.recipe.smooth_pooling, self.recipe.weight_noise),
        )
        bind = {kind: self.binding.all(kind) for kind in ("gradient_filters", "updates")}
        transforms, priors, keeps = self.binding.transforms(), self.binding.priors(), self.binding.keeps_gradient()

        def ascent_at(moment: StepContext) -> Ascent | CanvasAscent:
            weights = sight.balance(moment.image, moment) if self._balances else ()
            ascent = Ascent(
                partial(sight.gradient, weights=weights),
                score=partial(sight.score, weights=weights),
                transforms=transforms,
                priors=priors,
                colour=self.recipe.colour,
                keeps_gradient=keeps,
                **bind,
            )
            if self._on_pixels:
                return ascent
            over = self.recipe.init != "canvas" or moment.step.octave > 0
            return CanvasAscent(ascent, self.binding.canvas(moment), self.binding.optimiser, over=over)

        def finished(picture: Tensor) -> Dream:
            change = picture - image
            settled = replace(machine, tile=sight.tile, precision=str(sight.precision).removeprefix("torch."))
            return Dream(photo, change.mul_(self.recipe.strength).cpu(), settled)

        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self.recipe.seed)
            try:
                picture = render(
                    image,
                    canvas,
                    octaves,
                    ascent_at,
                    start=None if start is None else start.to(device),
                    reinject=self.recipe.octaves.reinject,
                    on_step=on_step,
                    snapshots=snapshots,
                    on_snapshot=lambda number, picture: on_snapshot(number, finished(picture)),
                )
            except Interrupted as stop:
                raise Interrupted(finished(stop.picture)) from None
        return finished(picture)

    def _prepared(self, precision: torch.dtype) -> Network:
        """The network made fast, once for all frames of a clip."""
        layers, device = self.layers, torch.device(self.machine.device)
        key = (self.network, *layers, device, precision)
        if key not in self._fast:
            self._fast[key] = self.network.prepared(layers, device, precision)
        return self._fast[key]

    @property
    def _balances(self) -> bool:
        wished = self.recipe.balance
        return len(self.recipe.objectives) > 1 if wished is None else wished

    @property
    def _on_pixels(self) -> bool:
        """Whether the dream's own step climbs in the picture itself: no canvas has to stand between."""
        return (self.recipe.canvas.name, self.recipe.optimiser.name) == (Recipe.canvas.name, Recipe.optimiser.name)

    def _start(self, image: Tensor) -> Tensor:
        """What the dream begins with; a canvas' own beginning comes with the canvas."""
        if self.recipe.init == "photo":
            return image
        canvas = torch.full_like(image, 0.5)
        if self.recipe.init == "noise":
            generator = torch.Generator().manual_seed(self.recipe.seed)
            canvas += 0.1 * torch.randn(canvas.shape, generator=generator).to(canvas)
        return canvas.clamp_(0, 1)

    def tile(self, photo: Photo) -> int:
        """The side of the tiles for a photo of this size, 0 for none; raises UsageError where tiles cannot be."""
        known = looked_at(self.network, self.terms)
        if self.machine.tile > 0:
            refuse_whole(known.values())
            return self.machine.tile
        if self.machine.tile == 0 or any(layer.rows is None for layer in known.values()):
            return 0
        largest = largest_tile(known, free_memory(self.machine.device))
        return 0 if max(photo.width, photo.height) <= largest else largest
