"""A recipe's ingredients as functions: their options and all that they ask for filled in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from inspect import isfunction
from typing import Any

import torch
from torch import Tensor

from dreamer.engine.ascent import Bound, Draw, draw
from dreamer.engine.canvas import Canvas, Optimiser, is_gradient_free
from dreamer.engine.objective import WeightedObjective, no_map
from dreamer.engine.step import Step, StepContext
from dreamer.errors import UsageError, argument, blamed_on, collect_problems, either, reported_together
from dreamer.image import Photo, resize
from dreamer.networks.network import Network
from dreamer.networks.randomness import Randomness
from dreamer.pipeline.results import checked
from dreamer.recipes.options import leaves_edges, reach_of
from dreamer.recipes.recipe import KINDS, Ingredient, Recipe
from dreamer.recipes.registry import BUILT_IN, OWN, Entry, IngredientKind, Registry, noun_of

_PASSING = {"photo", "photo_features", "image", "gradient", "step", "edges"}  # new at every step
_GUIDE_SIDE = 512  # px: a guide is looked at with its long side this long
_OVERVIEW_SIDE = 256  # px: a photo as a whole is looked at with as many pixels as a square of this side


class PictureFeatures:
    """The features of a whole picture (1, 3, h, w), computed once for each layer and kept for all frames of a clip."""

    def __init__(self, image: Tensor, network: Network, device: str) -> None:
        self._image, self._network, self._device = image, network, device
        self._known: dict[str, Tensor] = {}

    def features(self, layers: Iterable[str]) -> Mapping[str, Tensor]:
        """The features of these layers, {layer: (1, C, h, w)}, perhaps with others that were asked for before."""
        absent = set(layers) - self._known.keys()
        if absent:
            with torch.no_grad():
                features = self._network.features(self._image, absent)
            self._known |= {name: values.to(self._device) for name, values in features.items()}
        return self._known


def overview(image: Tensor, network: Network, device: str) -> PictureFeatures:
    """A photo (1, 3, H, W) shrunk to a small overview, for ingredients that choose by the whole of it."""
    area = image.shape[-2] * image.shape[-1]
    return PictureFeatures(_shrunk(image, _OVERVIEW_SIDE / math.sqrt(area)), network, device)


class Guide(PictureFeatures):
    """A picture whose features are to grow."""

    def __init__(self, photo: Photo, network: Network, device: str) -> None:
        image = photo.image()
        super().__init__(_shrunk(image, _GUIDE_SIDE / max(image.shape[-2:])), network, device)
        self.photo = photo


def _shrunk(image: Tensor, factor: float) -> Tensor:
    """The image made smaller by a factor; as it is for one above 1."""
    factor = min(1.0, factor)
    return resize(image, (max(1, round(image.shape[-2] * factor)), max(1, round(image.shape[-1] * factor))))


@dataclass(frozen=True)
class IngredientBinder:
    """A recipe with the registry that knows its names, and what its ingredients may ask for.

    `overview` is the photo that is dreamt over, as a whole; None where frames follow one another, or there is none.
    """

    recipe: Recipe
    network: Network
    registry: Registry
    guide: Guide | None
    overview: PictureFeatures | None = None

    def used(self) -> list[Entry[IngredientKind]]:
        """Every ingredient that the recipe names."""
        named = [(kind, item) for kind in KINDS for item in self.recipe.of(kind)]
        named += [("objectives", item) for region in self.recipe.regions for item in region.objectives]
        return [self.registry.ingredients[kind].get(item.name) for kind, item in named]

    def all(self, kind: str) -> tuple[Bound, ...]:
        """The recipe's ingredients of a kind, in order; of transforms, see `transforms`."""
        return tuple(self._bind(kind, item) for item in self.recipe.of(kind))

    def transforms(self) -> tuple[Draw, ...]:
        """The recipe's transforms, in order; each draws its random numbers once a step."""
        return tuple(_drawing(self._bind("transforms", item)) for item in self.recipe.transforms)

    def priors(self) -> tuple[tuple[float, Bound], ...]:
        """The priors and their weights."""
        return tuple((item.weight, self._bind("priors", item)) for item in self.recipe.priors)

    def terms(self) -> tuple[WeightedObjective, ...]:
        """The objectives, each at its layer and in its area."""
        terms = []
        for item, area in self.recipe.grown:
            entry, bound = self._entry("objectives", item), self._bind("objectives", item)
            needs_photo, context = "photo_features" in entry.wanted, reach_of(entry.function)
            name, layer = item.id or item.name, str(item.layer)
            terms.append(WeightedObjective(name, item.weight, layer, bound, needs_photo, context=context, area=area))
        return tuple(terms)

    def keeps_gradient(self) -> bool:
        """Whether some update asks for the gradient."""
        return any("gradient" in self._entry("updates", item).wanted for item in self.recipe.updates)

    def canvas(self, context: StepContext) -> Canvas:
        """The canvas for what an octave starts from."""
        canvas: Canvas = self._bind("canvases", self.recipe.canvas)(context.image, context)
        return canvas

    def optimiser(self, parameters: tuple[Tensor, ...], **known: Any) -> Optimiser:
        """The optimiser of these parameters; `known` is what it may ask for."""
        item = self.recipe.optimiser
        entry = self._entry("optimisers", item)
        made: Optimiser = self._function("optimisers", item)(
            parameters, **item.options, **{name: known[name] for name in entry.wanted}
        )
        return made

    @cached_property
    def gradient_free(self) -> bool:
        """Whether the optimiser needs no gradient; raises UsageError where it cannot be had."""
        return self._is_free(torch.zeros(4, requires_grad=True))

    def check(self) -> None:
        """Raises UsageError for an absent guide, an objective that refuses its layer, an optimiser that cannot work."""
        with reported_together() as problems:
            for item, area in self.recipe.grown:
                with collect_problems(problems):
                    entry = self._entry("objectives", item)
                    channels = self.network.layer(str(item.layer)).channels
                    if "guide" in entry.wanted and self.guide is None:
                        how = argument("guide", "PICTURE")
                        raise UsageError(f"objective {item.name} needs a picture to be guided by: {how}")
                    if not entry.wanted & {*_PASSING, "guide"}:
                        function = self._function("objectives", item)
                        scores = function(torch.zeros(1, channels, 2, 2), **self._fixed(entry, item))
                        if area is not None and scores.shape[-2:] != (2, 2):
                            raise no_map(item.id or item.name)
            if self.recipe.wrap != Recipe.wrap:
                flat = [entry.name for entry in self.used() if leaves_edges(entry.value.function)]
                flat += ["cutout"] * self.recipe.cutout
                how = f"leave it out, or use {argument('wrap', 'none')}"
                problems += [f"wrap: {name} leaves edges that do not fit each other; {how}" for name in flat]
            with collect_problems(problems):
                if not self.gradient_free and not self.network.differentiable(self._layers):
                    raise UsageError(
                        f"optimiser {self.recipe.optimiser.name} climbs by the gradient, and {self.network.name} gives "
                        f"none; cma-es and genetic need none, on a small canvas: {_search()}"
                    )

    def check_canvas(self, size: tuple[int, int]) -> None:
        """Raises UsageError where the optimiser cannot search so large a canvas."""
        if self.gradient_free:
            with Randomness(0):
                grey = torch.full((1, 3, *size), 0.5)
                canvas = self.canvas(StepContext(grey, grey, Step(0, 1, 0, 1, 0.0, size)))
                self._is_free(*canvas.parameters)

    def _is_free(self, *parameters: Tensor) -> bool:
        with Randomness(0):
            return is_gradient_free(self.optimiser(parameters, paint=lambda: parameters[0], step_size=0.0))

    @property
    def _layers(self) -> list[str]:
        return [str(item.layer) for item, _ in self.recipe.grown]

    def _entry(self, kind: str, item: Ingredient) -> IngredientKind:
        return self.registry.ingredients[kind].get(item.name).value

    def _bind(self, kind: str, item: Ingredient) -> Callable[[Tensor, StepContext], Any]:
        """The ingredient as a function of a tensor and a step's context."""
        entry, function = self._entry(kind, item), self._function(kind, item)
        fixed = self._fixed(entry, item)
        passing = entry.wanted & _PASSING

        def bound(tensor: Tensor, context: StepContext) -> Any:
            return function(tensor, **fixed, **{name: getattr(context, name) for name in passing})

        bound.called = self._called(kind, item)  # type: ignore[attr-defined]
        return bound

    def _called(self, kind: str, item: Ingredient) -> str:
        """What an ingredient is called in sentences."""
        entry = self.registry.ingredients[kind].get(item.name)
        plugin = "" if entry.source in (BUILT_IN, OWN) else f" of the plugin {entry.source}"
        return f"{noun_of(kind)} {entry.name}{plugin}"

    def _function(self, kind: str, item: Ingredient) -> Callable[..., Any]:
        """The ingredient's function; a plugin's names the plugin where it fails.

        What a program's own function raises passes as it is.
        """
        entry = self.registry.ingredients[kind].get(item.name)
        function, who = entry.value.function, self._called(kind, item)
        if entry.source == BUILT_IN:
            return function
        if entry.source != OWN:
            function = _blamed(function, who)
        return checked(function, kind, who)

    def _fixed(self, entry: IngredientKind, item: Ingredient) -> dict[str, Any]:
        """The keywords of an ingredient that stay the same throughout: its options, the network, the guide."""
        known: dict[str, Any] = {"network": self.network, "layer": item.layer}
        if "guide" in entry.wanted:
            assert self.guide is not None  # `check` has seen to that
            known["guide"] = self.guide.features(self._layers)[str(item.layer)]
        if "overview" in entry.wanted:
            known["overview"] = self.overview and self.overview.features(self._layers)[str(item.layer)]
        return {**item.options, **{name: value for name, value in known.items() if name in entry.wanted}}


def _drawing(transform: Bound) -> Draw:
    drawing = partial(draw, transform)
    drawing.called = transform.called  # type: ignore[attr-defined]
    return drawing


def _search() -> str:
    """Settings for a search without a gradient, as the end of an error."""
    return either(
        "optimiser='cma-es', canvas={'name': 'fourier', 'frequencies': 6}",
        "--set optimiser.name=cma-es --set canvas.name=fourier --set canvas.frequencies=6",
    )


def _blamed(function: Callable[..., Any], who: str) -> Callable[..., Any]:
    """The function, and whatever function or canvas it gives, with their errors blamed on a plugin."""

    def called(*given: Any, **named: Any) -> Any:
        with blamed_on(who):
            result = function(*given, **named)
        if isinstance(result, Canvas):
            return Canvas(result.parameters, _blamed(result.paint, who))
        return _blamed(result, who) if isfunction(result) or isinstance(result, partial) else result

    return called
