"""A recipe's words become an ascent's functions, and a photo becomes a dream."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dreamer.ascent import Ascent, Bound
from dreamer.errors import RecipeError, UsageError
from dreamer.image import Photo, resize
from dreamer.machine import Machine, free_memory
from dreamer.network import Network
from dreamer.pyramid import Octave, octave_sizes
from dreamer.recipe import DEFAULTS, Ingredient, Recipe, Words, merged, with_change
from dreamer.registry import IngredientKind, Registry
from dreamer.render import render
from dreamer.sight import Sight, Term, largest_tile
from dreamer.step import Moment, Step
from dreamer.tiles import refuse_whole

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
        return self.recipe.words(lambda kind, name: self.registry.ingredients[kind].get(name).value.options)

    def octaves(self, photo: Photo) -> list[Octave]:
        """The octaves for a photo of this size; raises UsageError when one is too small for the network."""
        plan = self.recipe.octaves
        sizes = octave_sizes(photo.height, photo.width, smallest=plan.smallest, scale=plan.scale, count=plan.count)
        for height, width in sizes:
            self.network.sizes(height, width, self.layers)
        return [Octave(size, plan.steps, plan.step_size) for size in sizes]

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
        """Dream over a photo that has its final size. Raises UsageError, NotFiniteError and Interrupted."""
        octaves = self.octaves(photo)
        machine = replace(self.machine, tile=self._tile(photo))
        device = torch.device(machine.device)
        image = photo.image().to(device)
        canvas = self._canvas(image)
        sight = Sight(
            self.network, self._terms(), device=device, precision=machine.dtype, tile=machine.tile, say=self.say
        )
        bind = {kind: self._bound(kind) for kind in ("transforms", "gradient_filters", "updates")}
        priors = tuple((item.weight, self._bind("priors", item)) for item in self.recipe.priors)

        def ascent_at(moment: Moment) -> Ascent:
            balanced = sight.balanced(moment.image, moment) if self._balances else sight
            return Ascent(balanced.gradient, priors=priors, colour=self.recipe.colour, **bind)

        def finished(picture: Tensor) -> Dream:
            change = picture.sub(image) if canvas is image else picture - image
            settled = replace(machine, tile=sight.tile, precision=str(sight.precision).removeprefix("torch."))
            return Dream(photo, change.mul_(self.recipe.strength).cpu(), settled)

        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(self.recipe.seed)
            picture = render(
                image,
                canvas,
                octaves,
                ascent_at,
                on_step=on_step,
                snapshots=snapshots,
                on_snapshot=lambda number, picture: on_snapshot(number, finished(picture)),
            )
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

    def _tile(self, photo: Photo) -> int:
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
            Term(item.id or item.name, item.weight, str(item.layer), self._bind("objectives", item))
            for item in self.recipe.objectives
        )

    def _bound(self, kind: str) -> tuple[Bound, ...]:
        return tuple(self._bind(kind, item) for item in getattr(self.recipe, kind))

    def _bind(self, kind: str, item: Ingredient) -> Bound:
        """The ingredient as a function of a tensor and a moment: its options and what it asks for filled in."""
        entry: IngredientKind = self.registry.ingredients[kind].get(item.name).value
        fixed: dict[str, Any] = {**item.options}
        if "network" in entry.wanted:
            fixed["network"] = self.network
        if "layer" in entry.wanted:
            fixed["layer"] = item.layer
        if "guide" in entry.wanted:
            fixed["guide"] = self._guide_features[str(item.layer)]
        passing = entry.wanted & {"photo", "image", "step"}

        def bound(tensor: Tensor, moment: Moment) -> Tensor:
            result: Tensor = entry.function(tensor, **fixed, **{name: getattr(moment, name) for name in passing})
            return result

        return bound

    @cached_property
    def _guide_features(self) -> Mapping[str, Tensor]:
        if self.guide is None:
            raise UsageError("objective guided needs a picture to be guided by: --guide PICTURE")
        image = self.guide.image()
        shrink = min(1.0, _GUIDE_SIDE / max(image.shape[-2:]))
        image = resize(image, (round(image.shape[-2] * shrink), round(image.shape[-1] * shrink)))
        with torch.no_grad():
            features = self.network.features(image, self.layers)
        return {name: values.to(self.machine.device) for name, values in features.items()}


def compose(
    words: Words,
    network: Network,
    registry: Registry,
    machine: Machine,
    *,
    guide: Photo | None = None,
    say: Say = lambda sentence: None,
) -> Composition:
    """Check a recipe's words against the network and the registry, all problems at once, before any computing."""
    recipe = Recipe.read(words, lambda kind, name: registry.ingredients[kind].get(name).value.options)
    objectives = tuple(replace(item, layer=item.layer or network.default_layer) for item in recipe.objectives)
    problems = []
    for item in objectives:
        try:
            network.layer(str(item.layer))
        except UsageError as error:
            problems += error.problems
    if problems:
        raise RecipeError(*problems)
    recipe = replace(recipe, network=network.name, objectives=objectives)
    return Composition(recipe, network, registry, machine.resolved(), guide, say)


__all__ = ["DEFAULTS", "Composition", "Dream", "compose", "merged", "with_change"]
