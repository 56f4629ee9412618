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
from dreamer.errors import Interrupted, RecipeError, UsageError
from dreamer.image import Photo, resize
from dreamer.lens import Lens
from dreamer.machine import Machine, free_memory
from dreamer.network import Network
from dreamer.pyramid import Octave, octave_sizes, rising_sizes
from dreamer.recipe import INGREDIENTS, Ingredient, Recipe
from dreamer.registry import BUILT_IN, IngredientKind, Registry
from dreamer.render import render
from dreamer.sight import Sight, Term, largest_tile
from dreamer.step import Moment, Step
from dreamer.tiles import refuse_whole

_PASSING = {"photo", "photo_features", "image", "gradient", "step"}  # what every step brings anew
_GUIDE_SIDE = 512  # px: a guide is looked at with its long side this long

Say = Callable[[str], None]


@dataclass(frozen=True)
class Dream:
    """A finished dream: `change` (1, 3, H, W) is the picture minus `photo.image()`, in sRGB, strength applied.

    `machine` is what `auto` came to.
    """

    photo: Photo
    change: Tensor
    machine: Machine


@dataclass(frozen=True)
class Composition:
    """Everything that several photos share: a checked recipe, its network and ingredients, a machine."""

    recipe: Recipe
    network: Network
    registry: Registry
    machine: Machine
    guide: Photo | None = None
    say: Say = field(default=lambda sentence: None)

    @property
    def layers(self) -> list[str]:
        """The layers that the objectives look at."""
        return list(dict.fromkeys(str(item.layer) for item in self.recipe.objectives))

    def words(self) -> dict[str, Any]:
        """The whole recipe in words."""
        return self.recipe.words(self.registry.vocabulary)

    @property
    def plugins(self) -> frozenset[str]:
        """The distributions of the plugins that the recipe needs."""
        used = [self.registry.ingredients[kind].get(item.name) for kind in INGREDIENTS for item in self._items(kind)]
        sources = {entry.source for entry in used}
        with suppress(RecipeError):  # a network that was handed over has no name here
            sources.add(self.registry.networks.get(self.recipe.network).source)
        return frozenset(sources - {BUILT_IN})

    def check(self) -> None:
        """Raises UsageError for an unknown layer, an absent guide, or an objective that refuses the layer."""
        problems: list[str] = []
        for item in self.recipe.objectives:
            try:
                channels = self.network.layer(str(item.layer)).channels
                entry: IngredientKind = self.registry.ingredients["objectives"].get(item.name).value
                if "guide" in entry.wanted and self.guide is None:
                    raise UsageError(f"objective {item.name} needs a picture to be guided by: --guide PICTURE")
                if not entry.wanted & {*_PASSING, "guide"}:
                    entry.function(torch.zeros(1, channels, 2, 2), **self._fixed(entry, item))
            except UsageError as error:
                problems += error.problems
        if problems:
            raise UsageError(*dict.fromkeys(problems))

    def octaves(self, photo: Photo) -> list[Octave]:
        """The octaves for a photo of this size; raises UsageError when one is too small for the network."""
        plan = self.recipe.octaves
        height, width = photo.height, photo.width
        if plan.feature_size is None:
            sizes = octave_sizes(height, width, smallest=plan.smallest, scale=plan.scale, count=plan.count)
        else:
            sizes = rising_sizes(height, width, smallest=self._smallest(plan.feature_size), scale=plan.scale)
        self.network.sizes(*sizes[0], self.layers)  # larger ones are large enough too
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
        image = photo.image().to(device)
        canvas = self._canvas(image)
        sight = Sight(
            self.network,
            self._terms(),
            device=device,
            precision=machine.dtype,
            tile=machine.tile,
            say=self.say,
            lens=Lens(self.recipe.redirect, self.recipe.smooth_pooling, self.recipe.weight_noise),
        )
        bind = {kind: self._bound(kind) for kind in ("transforms", "gradient_filters", "updates")}
        priors = tuple((item.weight, self._bind("priors", item)) for item in self.recipe.priors)

        keeps = any(self._wants("gradient", "updates", item) for item in self.recipe.updates)

        def ascent_at(moment: Moment) -> Ascent:
            weights = sight.balance(moment.image, moment) if self._balances else ()
            gradient = partial(sight.gradient, weights=weights)
            return Ascent(gradient, priors=priors, colour=self.recipe.colour, keeps_gradient=keeps, **bind)

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
                    start=None if carried is None else image + carried.to(device),
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

    def _canvas(self, image: Tensor) -> Tensor:
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
        return tuple(
            Term(
                item.id or item.name,
                item.weight,
                str(item.layer),
                self._bind("objectives", item),
                self._wants("photo_features", "objectives", item),
            )
            for item in self.recipe.objectives
        )

    def _wants(self, keyword: str, kind: str, item: Ingredient) -> bool:
        return keyword in self.registry.ingredients[kind].get(item.name).value.wanted

    def _items(self, kind: str) -> tuple[Ingredient, ...]:
        items: tuple[Ingredient, ...] = getattr(self.recipe, kind)
        return items

    def _bound(self, kind: str) -> tuple[Bound, ...]:
        return tuple(self._bind(kind, item) for item in self._items(kind))

    def _bind(self, kind: str, item: Ingredient) -> Bound:
        """The ingredient as a function of a tensor and a moment: its options and what it asks for filled in."""
        entry: IngredientKind = self.registry.ingredients[kind].get(item.name).value
        fixed = self._fixed(entry, item)
        passing = entry.wanted & _PASSING

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
