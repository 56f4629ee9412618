"""A checked recipe with everything that it names, and how a photo becomes a dream by it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from dreamer.ascent import Ascent, Bound
from dreamer.errors import Interrupted, PlaceError, RecipeError, UsageError, gathered
from dreamer.image import Photo, resize
from dreamer.machine import Machine, free_memory
from dreamer.network import Network
from dreamer.painting import Painting
from dreamer.pyramid import Octave, octave_sizes, rising_sizes
from dreamer.recipe import KINDS, ONES, Ingredient, Recipe
from dreamer.registry import BUILT_IN, IngredientKind, Registry
from dreamer.render import render
from dreamer.result import Dream
from dreamer.sight import Sight, Term, largest_tile
from dreamer.step import Moment, Step
from dreamer.tiles import refuse_whole

_GUIDE_SIDE = 512  # px: a guide is looked at with its long side this long

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
    own: Term | None = None
    """An objective of Python's, in the place of the recipe's."""

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
        used = [self.registry.ingredients[kind].get(item.name) for kind in KINDS for item in self._items(kind)]
        sources = {entry.source for entry in used}
        with suppress(RecipeError):  # a network that was handed over has no name here
            sources.add(self.registry.networks.get(self.recipe.network).source)
        return frozenset(sources - {BUILT_IN})

    def check(self) -> None:
        """Raises UsageError for an unknown layer, an absent guide, an objective that refuses the layer, an optimiser
        that cannot work here; and, for a picture from nothing, for its size."""
        problems: list[str] = []
        for item in self.recipe.objectives:
            with gathered(problems), suppress(PlaceError):
                entry: IngredientKind = self.registry.ingredients["objectives"].get(item.name).value
                if "guide" in entry.wanted and self.guide is None:
                    raise UsageError(f"objective {item.name} needs a picture to be guided by: --guide PICTURE")
                self._try(item, (2, 2))
        with gathered(problems):
            if not self._gradient_free and not self.network.differentiable(self.layers):
                raise UsageError(
                    f"optimiser {self.recipe.optimiser.name} climbs by the gradient, and {self.network.name} gives "
                    "none; cma-es and genetic need none, on a small canvas: --set optimiser.name=cma-es "
                    "--set canvas.name=fourier --set canvas.frequencies=6"
                )
        side = self.recipe.size
        if self.recipe.init == "canvas" and side:
            with gathered(problems):
                self._octaves(side, side)
        if problems:
            raise UsageError(*problems)

    @cached_property
    def _gradient_free(self) -> bool:
        """Whether the optimiser needs no gradient; raises UsageError where it cannot be had."""
        return self._searches(torch.zeros(4, requires_grad=True))

    def _searches(self, *parameters: Tensor) -> bool:
        with torch.random.fork_rng(devices=[]):
            optimiser = self._optimiser(parameters, paint=lambda: parameters[0], step_size=0.0)
        return bool(getattr(optimiser, "gradient_free", False))

    def _try(self, item: Ingredient, size: tuple[int, int]) -> None:
        """Have an objective look at a map of that size, so that it can refuse it."""
        entry: IngredientKind = self.registry.ingredients["objectives"].get(item.name).value
        if not entry.wanted & {"photo", "image", "step", "guide"}:
            channels = self.network.layer(str(item.layer)).channels
            entry.function(torch.zeros(1, channels, 1, 1).expand(-1, -1, *size), **self._fixed(entry, item))

    def octaves(self, photo: Photo) -> list[Octave]:
        """The octaves for a photo of this size; raises UsageError when one is too small for the network."""
        return self._octaves(photo.height, photo.width)

    def _octaves(self, height: int, width: int) -> list[Octave]:
        plan = self.recipe.octaves
        if plan.feature_size is None:
            sizes = octave_sizes(height, width, smallest=plan.smallest, scale=plan.scale, count=plan.count)
        else:
            sizes = rising_sizes(height, width, smallest=self._smallest(plan.feature_size), scale=plan.scale)
        maps = self.network.sizes(*sizes[0], self.layers)  # larger ones are large enough too
        problems: list[str] = []
        for item in () if self.own else self.recipe.objectives:
            with gathered(problems):
                try:
                    self._try(item, (2, 2))
                except PlaceError:
                    self._try(item, maps[str(item.layer)])
        if self._gradient_free:
            with gathered(problems), torch.random.fork_rng(devices=[]):
                grey, step = torch.full((1, 3, *sizes[-1]), 0.5), Step(0, 1, 0, plan.steps, 0.0, sizes[-1])
                canvas: Any = self._bind("canvases", self.recipe.canvas)(grey, Moment(grey, grey, step))
                self._searches(*canvas.parameters)
        if problems:
            raise UsageError(*problems)
        return [Octave(size, plan.steps, plan.step_size) for size in sizes]

    def _smallest(self, feature_size: float) -> int:
        """The shortest side of the first octave, where features grow to that percentage of it.

        What a position sees has full weight only near its centre (Luo 2016): half of a field is taken for a feature.
        """
        known = [self.network.layer(name) for name in self.layers]
        fields = [max(layer.rows.size, layer.columns.size) for layer in known if layer.rows and layer.columns]
        if not fields:
            raise UsageError(
                f"octaves.feature_size: layer {known[0].name} looks at the whole picture ({known[0].whole}), so that "
                "its features have no size of their own; leave it out, or choose an earlier layer"
            )
        return round(max(fields) / 2 * 100 / feature_size)

    def sized(self, photo: Photo) -> Photo:
        """The photo at the recipe's size: a long side over it is shortened."""
        side = self.recipe.size
        return photo.resized(side) if side and max(photo.width, photo.height) > side else photo

    def dream(
        self,
        photo: Photo,
        *,
        on_step: Callable[[Step], None] = lambda step: None,
        snapshots: Collection[int] = (),
        on_snapshot: Callable[[int, Dream], None] = lambda number, dream: None,
    ) -> Dream:
        """Dream over a photo that has its final size.

        Raises UsageError, NotFiniteError, and Interrupted with the Dream so far.
        """
        octaves = self.octaves(photo)
        machine = replace(self.machine, tile=self.tile(photo))
        device = torch.device(machine.device)
        image = photo.image().to(device).expand(self.recipe.pictures, -1, -1, -1)
        canvas = self._start(image)
        sight = Sight(
            self.network,
            self._terms(),
            device=device,
            precision=machine.dtype,
            tile=machine.tile,
            say=self.say,
            wakes=not self._on_pixels,
        )
        bind = {kind: self._bound(kind) for kind in ("transforms", "gradient_filters", "updates")}
        priors = tuple((item.weight, self._bind("priors", item)) for item in self.recipe.priors)

        def ascent_at(moment: Moment) -> Ascent | Painting:
            weights = sight.balance(moment.image, moment) if self._balances else ()
            gradient, score = partial(sight.gradient, weights=weights), partial(sight.score, weights=weights)
            ascent = Ascent(gradient, priors=priors, colour=self.recipe.colour, score=score, **bind)
            if self._on_pixels:
                return ascent
            canvas: Any = self._bind("canvases", self.recipe.canvas)(moment.image, moment)
            over = self.recipe.init != "canvas" or moment.step.octave > 0
            return Painting(ascent, canvas, self._optimiser, over=over)

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
                    on_step=on_step,
                    snapshots=snapshots,
                    on_snapshot=lambda number, picture: on_snapshot(number, finished(picture)),
                )
            except Interrupted as stop:
                raise Interrupted(finished(stop.picture)) from None
        return finished(picture)

    @property
    def _balances(self) -> bool:
        wished = self.recipe.balance
        return len(self.recipe.objectives) > 1 if wished is None else wished

    @property
    def _on_pixels(self) -> bool:
        """Whether the dream's own step climbs in the picture itself: no canvas has to stand between."""
        return (self.recipe.canvas.name, self.recipe.optimiser.name) == (Recipe.canvas.name, Recipe.optimiser.name)

    def _optimiser(self, parameters: tuple[Tensor, ...], **known: Any) -> Any:
        """The recipe's optimiser for these parameters; `known` is what it may ask for."""
        item = self.recipe.optimiser
        entry: IngredientKind = self.registry.ingredients["optimisers"].get(item.name).value
        return entry.function(parameters, **item.options, **{name: known[name] for name in entry.wanted})

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
        known = [self.network.layer(name) for name in self.layers]
        if self.machine.tile > 0:
            refuse_whole(known)
            return self.machine.tile
        if self.machine.tile == 0 or any(layer.rows is None for layer in known):
            return 0
        largest = largest_tile(self.network, self.layers, free_memory(self.machine.device))
        return 0 if max(photo.width, photo.height) <= largest else largest

    def _terms(self) -> tuple[Term, ...]:
        if self.own:
            return (self.own,)
        return tuple(
            Term(item.id or item.name, item.weight, str(item.layer), self._bind("objectives", item))
            for item in self.recipe.objectives
        )

    def _items(self, kind: str) -> tuple[Ingredient, ...]:
        ones = {kind: key for key, kind in ONES.items()}
        items: tuple[Ingredient, ...] = (
            (getattr(self.recipe, ones[kind]),) if kind in ones else getattr(self.recipe, kind)
        )
        return items

    def _bound(self, kind: str) -> tuple[Bound, ...]:
        return tuple(self._bind(kind, item) for item in self._items(kind))

    def _bind(self, kind: str, item: Ingredient) -> Bound:
        """The ingredient as a function of a tensor and a moment: its options and what it asks for filled in."""
        entry: IngredientKind = self.registry.ingredients[kind].get(item.name).value
        fixed = self._fixed(entry, item)
        passing = entry.wanted & {"photo", "image", "step"}

        def bound(tensor: Tensor, moment: Moment) -> Tensor:
            result: Tensor = entry.function(tensor, **fixed, **{name: getattr(moment, name) for name in passing})
            return result

        return bound

    def _fixed(self, entry: IngredientKind, item: Ingredient) -> dict[str, Any]:
        """The keywords of an ingredient that stay the same throughout: its options, the network, the guide."""
        fixed: dict[str, Any] = {**item.options}
        if "network" in entry.wanted:
            fixed["network"] = self.network
        if "layer" in entry.wanted:
            fixed["layer"] = item.layer
        if "guide" in entry.wanted:
            fixed["guide"] = self._guide_features[str(item.layer)]
        return fixed

    @cached_property
    def _guide_features(self) -> Mapping[str, Tensor]:
        assert self.guide is not None  # `check` has seen to that
        image = self.guide.image()
        shrink = min(1.0, _GUIDE_SIDE / max(image.shape[-2:]))
        image = resize(image, (round(image.shape[-2] * shrink), round(image.shape[-1] * shrink)))
        with torch.no_grad():
            features = self.network.features(image, self.layers)
        return {name: values.to(self.machine.device) for name, values in features.items()}
