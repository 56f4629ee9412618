"""A recipe's words become a pipeline: what somebody asked for, merged, read and checked before anything is computed.

The words come in layers, each laid upon the one before: dreamer's defaults, the network's, a preset's or recipe's, and
single changes (`--set`, flags). They are merged, then read once as a Recipe, then resolved for the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreamer.engine.device import Machine
from dreamer.errors import RecipeError, UsageError, collect_problems
from dreamer.image import Photo
from dreamer.networks import load_from
from dreamer.networks.network import Network
from dreamer.pipeline.pipeline import Pipeline, Say, Session
from dreamer.recipes.overrides import merged, with_change, with_changes
from dreamer.recipes.recipe import DEFAULTS, Ingredient, Recipe, RecipeDict
from dreamer.recipes.registry import Registry

Change = tuple[str, Any]
_FIRST = ("canvas.name", "optimiser.name")  # another one brings its own options, so it comes before them


def build(
    words: RecipeDict,
    registry: Registry,
    *,
    changes: Iterable[Change] = (),
    network: str | Network | None = None,
    weights: Path | None = None,
    layer: str | None = None,
    fetch: bool = False,
    guide: Photo | None = None,
    machine: Machine = Machine(),  # noqa: B008 - frozen
    say: Say = lambda sentence: None,
    aim: Callable[[Network, RecipeDict], list[dict[str, Any]]] | None = None,
) -> Pipeline:
    """The pipeline that words ask for.

    Args:
        words: A preset's or recipe's, without dreamer's defaults.
        registry: Every name that the words may use.
        changes: Keys and values, as `--set` speaks, in the order in which they are made.
        network: The network, or its name, where somebody asked for another than the words'.
        weights: A file with the named network's weights.
        layer: Where all objectives look, whatever the words say.
        fetch: Whether the weights of a network that was asked for may be downloaded.
        guide: A picture whose features are to grow.
        machine: Where to compute; `auto` is settled here.
        say: Told a sentence where something is done in another way than asked for.
        aim: Gives the objectives where they depend on the network, which it gets with the words.

    Raises:
        UsageError: With every problem; then nothing has been downloaded.
    """
    changes = sorted(changes, key=lambda change: change[0] not in _FIRST)
    asked = _Asked(words, changes, network, layer, guide is not None, registry)
    unread: list[str] = []
    with collect_problems(unread):  # before any network is fetched
        asked.recipe({})
    problems: list[str] = []
    with collect_problems(problems):
        machine = machine.resolved()
    loaded = None
    with collect_problems(problems):
        may_fetch = fetch and asked.names_network and not (unread or problems)
        loaded = (
            network
            if isinstance(network, Network)
            else load_from(registry.networks, str(asked.network_name), weights, fetch=may_fetch)
        )
        if not unread:
            asked = asked.moved(loaded, say)
        if aim:
            asked = asked.aimed(aim(loaded, asked.changed_words()))
    if loaded is None:
        raise UsageError(*unread, *problems)
    for name in asked.layers(readable=not unread):
        with collect_problems(problems):
            loaded.layer(name)
    with collect_problems(problems):  # once more: its defaults may hold what the words speak of
        recipe = asked.recipe(loaded.defaults, loaded.default_layer)
    if problems:
        raise UsageError(*problems)
    pipeline = Pipeline(recipe, Session(loaded, machine.device, guide), registry, machine, say)
    pipeline.check()
    return pipeline


@dataclass(frozen=True)
class _Asked:
    """What somebody asked for, as layers of words; nothing here loads or computes."""

    words: RecipeDict
    changes: Sequence[Change]
    network: str | Network | None
    layer: str | None
    guided: bool
    registry: Registry

    @property
    def names_network(self) -> bool:
        """Whether the network was asked for beside the preset's or recipe's words."""
        return self.network is not None or "network" in dict(self.changes)

    @property
    def network_name(self) -> Any:
        """What stands as the network's name, by whoever has the last word; whether it is one is checked by reading."""
        if isinstance(self.network, Network):
            return self.network.name
        own = self.words.get("network", Recipe.network)
        return dict(self.changes).get("network", own) if self.network is None else self.network

    def recipe(self, defaults: RecipeDict, default_layer: str | None = None) -> Recipe:
        """The recipe, laid upon a network's defaults; raises RecipeError with every problem."""
        if self.layer is not None:
            defaults = {key: value for key, value in defaults.items() if key != "objectives"}
        words = with_changes(merged(merged(DEFAULTS, defaults), self.words), self.changes)
        recipe = Recipe.read({**words, "network": self.network_name}, self.registry.vocabulary)
        return recipe if default_layer is None else self._resolved(recipe, default_layer)

    def moved(self, network: Network, say: Say) -> _Asked:
        """The same for another network than the words' own: layers that it lacks become its default layer."""
        if network.name == self.words.get("network", Recipe.network):
            return self
        objectives = []
        for item in self.words.get("objectives", ()):
            layer = item.get("layer")
            if layer is not None and layer not in network.anatomy.layers:
                say(f"{network.name} has no layer {layer}; its default layer {network.default_layer} is used instead")
                item = {**item, "layer": network.default_layer}
            objectives.append(item)
        return self.aimed(objectives) if objectives else self

    def aimed(self, objectives: list[dict[str, Any]]) -> _Asked:
        """The same with other objectives, before the changes."""
        return replace(self, words={**self.words, "objectives": objectives})

    def changed_words(self) -> RecipeDict:
        """The words with every change that can be made; those that cannot are told of elsewhere."""
        words = self.words
        for key, value in self.changes:
            with suppress(RecipeError):
                words = with_change(words, key, value)
        return words

    def layers(self, *, readable: bool) -> list[str]:
        """The layers that are named; where the words could not be read, not those of another network's preset."""
        if self.layer is not None:
            return [self.layer]
        ours = readable or self.network_name == self.words.get("network", Recipe.network)
        items = (self if ours else replace(self, words={})).changed_words().get("objectives", ())
        named = [item.get("layer") for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        return [layer for layer in named if isinstance(layer, str)]

    def _resolved(self, recipe: Recipe, default_layer: str) -> Recipe:
        """The recipe with a layer for each objective; with a guide that none of them wants, the one that follows it."""
        objectives = recipe.objectives
        if self.guided and not any(self._wants_guide(item) for item in objectives):
            objectives = (Ingredient("guided"),)
        layers = [self.layer or item.layer or default_layer for item in objectives]
        items = tuple(replace(item, layer=layer) for item, layer in zip(objectives, layers, strict=True))
        return replace(recipe, objectives=items)

    def _wants_guide(self, item: Ingredient) -> bool:
        return "guide" in self.registry.ingredients["objectives"].get(item.name).value.wanted
