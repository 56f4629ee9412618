"""A recipe's words become a pipeline: what somebody asked for, merged, read and checked before anything is computed.

The words come in layers, each laid upon the one before: dreamer's defaults, the network's, a preset's or recipe's, and
single changes (`--set`, flags). They are merged, then read once as a Recipe, then resolved for the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dreamer.engine.device import Machine
from dreamer.errors import RecipeError, collect_problems, reported_together, usage_error
from dreamer.image import Photo
from dreamer.networks import load_from
from dreamer.networks.network import Network
from dreamer.pipeline.concepts import changed_numbers, named_files, with_concepts
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.pipeline.pipeline import Notify, Pipeline
from dreamer.pipeline.regions import with_looks
from dreamer.pipeline.session import Session
from dreamer.recipes.overrides import merged, with_changes
from dreamer.recipes.recipe import DEFAULTS, Ingredient, Recipe, RecipeDict
from dreamer.recipes.registry import Registry

Change = tuple[str, Any]
Aim = Callable[[Network, RecipeDict], list[dict[str, Any]]]
"""Objectives as words, for a network and the other words."""
Loaded = dict[tuple[str, Path | None], Network]
"""Networks by name and the file with their weights."""
_FIRST = ("canvas.name", "optimiser.name")  # another one brings its own options, so it comes before them


@dataclass(frozen=True)
class Request:
    """What somebody asks for, as layers of words; only `build` loads anything.

    Attributes:
        words: A preset's or recipe's, without dreamer's defaults.
        changes: Keys and values, as `--set` speaks, in the order in which they are made.
        network: The network, or its name, where it is another than the words'.
        weights: A file with the named network's weights.
        layer: Where all objectives look, whatever the words say.
        fetch: Whether the weights of a network that was asked for may be downloaded.
        guide: A picture whose features are to grow.
        machine: Where to compute; `auto` is settled by `build`.
        notify: Told a sentence where something is done in another way than asked for.
        max_pixels: The most pixels that are dreamt over at once.
        masks: The pictures of the regions' masks.
        loaded: Networks that need not be loaded again; `build` adds its own.
        concept_files: Files of concepts that somebody has named besides in `changes`; a recipe's own are never read.
        beside: Names that stood beside the words' keys where they were written; they are suggested, too.
    """

    words: RecipeDict = field(default_factory=dict)
    changes: Sequence[Change] = ()
    network: str | Network | None = None
    weights: Path | None = None
    layer: str | None = None
    fetch: bool = False
    guide: Photo | None = None
    machine: Machine = field(default_factory=Machine)
    notify: Notify = lambda sentence: None
    max_pixels: int = MAX_PIXELS
    masks: tuple[Photo, ...] = ()
    loaded: Loaded = field(default_factory=dict)
    concept_files: frozenset[str] = frozenset()
    beside: tuple[str, ...] = ()

    def build(self, registry: Registry, aim: Aim | None = None) -> Pipeline:
        """The pipeline; `aim` gives the objectives where they depend on the network.

        Raises UsageError with every problem; then nothing has been downloaded.
        """
        asked = replace(self, changes=sorted(self.changes, key=lambda change: change[0] not in _FIRST))
        unread: list[str] = []
        with collect_problems(unread):  # before any network is fetched
            asked.recipe(registry, {})
        with reported_together() as problems:
            machine, network = self.machine, None
            with collect_problems(problems):
                machine = machine.resolved()
            with collect_problems(problems):
                network = asked._loaded(registry, aim, fetch=self.fetch and not (unread or problems))
                if not unread:
                    asked = asked._with_known_layers(network)
                if aim:
                    asked = asked._with_objectives(aim(network, with_changes(asked.words, asked.changes)[0]))
            if network is None:
                raise usage_error(*unread, *problems)
            for name in asked._layers(readable=not unread):
                with collect_problems(problems):
                    network.layer(name)
            with collect_problems(problems):  # once more: its defaults may hold what the words speak of
                recipe = asked.recipe(registry, network.defaults, network)
        for notice in network.notices if self.weights else ():
            self.notify(notice)
        session = Session(network, machine.device, self.guide)
        file = self.weights.name.encode(errors="replace").decode() if self.weights else ""
        known = (recipe, session, registry, machine, self.notify)
        pipeline = Pipeline(*known, weights_file=file, max_pixels=self.max_pixels, masks=self.masks)
        pipeline.check()
        return pipeline

    def recipe(self, registry: Registry, defaults: RecipeDict, network: Network | None = None) -> Recipe:
        """The recipe, laid upon a network's defaults; raises RecipeError with every problem."""
        if self.layer is not None:
            defaults = {key: value for key, value in defaults.items() if key != "objectives"}
        words, problems = with_changes(merged(merged(DEFAULTS, defaults), self.words), self.changes)
        words = _with_optimiser(words)
        named = named_files(self.changes) | self.concept_files
        words = with_concepts(words, named, changed_numbers(self.changes), self.layer, network, problems)
        words = with_looks({**words, "network": self._network_name}, registry, defaults, self.masks, problems)
        with collect_problems(problems):
            recipe = Recipe.read(words, registry.vocabulary, self.beside)
        if problems:
            raise RecipeError(*problems)
        return recipe if network is None else self._resolved(registry, recipe, network)

    def _loaded(self, registry: Registry, aim: Aim | None, *, fetch: bool) -> Network:
        """The network; downloaded only if it was asked for beside the preset's or recipe's words, and all else fits."""
        if isinstance(self.network, Network):
            return self.network
        named = self.network is not None or "network" in dict(self.changes)

        def check(untrained: Network) -> None:
            replace(self, network=untrained, notify=lambda sentence: None).build(registry, aim)

        name, fetch = str(self._network_name), fetch and named
        key = name, self.weights
        if key not in self.loaded:
            self.loaded[key] = load_from(registry.networks, name, self.weights, fetch=fetch, check=check)
        return self.loaded[key]

    @property
    def _network_name(self) -> Any:
        """What stands as the network's name, by whoever has the last word; whether it is one is checked by reading."""
        if isinstance(self.network, Network):
            return self.network.name
        own = self.words.get("network", Recipe.network)
        return dict(self.changes).get("network", own) if self.network is None else self.network

    def _with_known_layers(self, network: Network) -> Request:
        """This request for another network than its words name: layers that it lacks become its default layer."""
        if network.name == self.words.get("network", Recipe.network):
            return self
        objectives = []
        for item in self.words.get("objectives", ()):
            layer = item.get("layer")
            if layer is not None and not network.has(layer):
                default = network.default_layer
                self.notify(f"{network.name} has no layer {layer}; its default layer {default} is used instead")
                item = {**item, "layer": default}
            objectives.append(item)
        return self._with_objectives(objectives) if objectives else self

    def _with_objectives(self, objectives: list[dict[str, Any]]) -> Request:
        """This request with other objectives, before the changes."""
        return replace(self, words={**self.words, "objectives": objectives})

    def _layers(self, *, readable: bool) -> list[str]:
        """The layers that are named; where the words could not be read, not those of another network's preset."""
        if self.layer is not None:
            return [self.layer]
        ours = readable or self._network_name == self.words.get("network", Recipe.network)
        items = with_changes(self.words if ours else {}, self.changes)[0].get("objectives", ())
        named = [item.get("layer") for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        return [layer for layer in named if isinstance(layer, str)]

    def _resolved(self, registry: Registry, recipe: Recipe, network: Network) -> Recipe:
        """The recipe with a layer for each objective, by the network's own name; of a guide, one that follows it."""
        objectives = recipe.objectives
        if self.guide and not is_guided(recipe, registry):
            objectives = (Ingredient("guided", layer=network.guide_layer or network.default_layer),)

        def placed(items: Sequence[Ingredient]) -> tuple[Ingredient, ...]:
            named = [(item, self.layer or item.layer or network.default_layer) for item in items]
            return tuple(replace(item, layer=network.layer(layer).name) for item, layer in named)

        regions = tuple(replace(region, objectives=placed(region.objectives)) for region in recipe.regions)
        return replace(recipe, objectives=placed(objectives), regions=regions)


def _with_optimiser(words: RecipeDict) -> dict[str, Any]:
    """The words with Adam for a canvas, where no optimiser is named: the dream's own step is one of pixels."""
    canvas = words.get("canvas")
    painted = isinstance(canvas, Mapping) and canvas.get("name", Recipe.canvas.name) != Recipe.canvas.name
    return {"optimiser": {"name": "adam"}, **words} if painted else {**words}


def build(words: RecipeDict, registry: Registry, *, aim: Aim | None = None, **asked: Any) -> Pipeline:
    """The pipeline of `Request(words, **asked)`."""
    return Request(words, **asked).build(registry, aim)


def is_guided(recipe: Recipe, registry: Registry) -> bool:
    """Whether an objective of the recipe wants a picture to be guided by."""
    return any("guide" in registry.ingredients["objectives"].get(item.name).value.wanted for item in recipe.objectives)
