"""A recipe's words become an ascent's functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreamer.composition import Composition, Say
from dreamer.errors import RecipeError, UsageError, gathered
from dreamer.image import Photo
from dreamer.machine import Machine
from dreamer.network import Network
from dreamer.networks import load_from
from dreamer.recipe import DEFAULTS, Recipe, Words
from dreamer.registry import Registry
from dreamer.words import merged, with_change

_FIRST = ("canvas.name", "optimiser.name")  # another one brings its own options, so it comes before them


def compose(
    words: Words,
    registry: Registry,
    *,
    changes: Iterable[tuple[str, Any]] = (),
    network: str | Network | None = None,
    weights: Path | None = None,
    layer: str | None = None,
    fetch: bool = False,
    guide: Photo | None = None,
    machine: Machine = Machine(),  # noqa: B008 - frozen
    say: Say = lambda sentence: None,
    aim: Callable[[Network, Words], list[dict[str, Any]]] | None = None,
) -> Composition:
    """A preset's or recipe's words, and changes to them, checked as a whole before anything is computed.

    `network`, `weights` and `layer` are what somebody asked for, a network by its name or itself; `fetch` allows the
    named network's weights to be downloaded. `aim` gives the objectives where the network decides them. Raises
    UsageError with every problem.
    """
    problems: list[str] = []
    changes = sorted(changes, key=lambda change: change[0] not in _FIRST)
    own = words.get("network", Recipe.network)
    network = dict(changes).get("network") if network is None else network
    name = network.name if isinstance(network, Network) else own if network is None else network
    with gathered(problems):  # before any network is loaded, let alone fetched
        Recipe.read({**_changed(merged(DEFAULTS, words), changes, problems), "network": name}, registry.vocabulary)
    with gathered(problems):
        machine = machine.resolved()
    with gathered(problems):
        may_fetch = fetch and network is not None and not problems
        if isinstance(network, Network):
            loaded = network
        else:
            loaded = load_from(registry.networks, str(name), weights, fetch=may_fetch)
        words = _moved(words, loaded, say) if name != own and not problems else words
        words = {**words, "objectives": aim(loaded, _changed(words, changes, []))} if aim else words
        asked = _layers(_changed({} if problems and name != own else words, changes, [])) if layer is None else [layer]
        for one in asked:
            with gathered(problems):
                loaded.layer(one)
    if problems:
        raise UsageError(*problems)
    given = loaded.defaults if layer is None else {k: v for k, v in loaded.defaults.items() if k != "objectives"}
    words = _changed(merged(merged(DEFAULTS, given), words), changes, problems)
    if guide and not any(_wants_guide(item, registry) for item in words["objectives"]):
        words["objectives"] = [{"name": "guided", "layer": layer or loaded.default_layer}]
    if layer is not None:
        words["objectives"] = [{**item, "layer": layer} for item in words["objectives"]]
    recipe = Recipe.read({**words, "network": name}, registry.vocabulary)
    recipe = replace(
        recipe, objectives=tuple(replace(item, layer=item.layer or loaded.default_layer) for item in recipe.objectives)
    )
    composition = Composition(recipe, loaded, registry, machine, guide, say)
    composition.check()
    return composition


def _changed(words: Words, changes: Iterable[tuple[str, Any]], problems: list[str]) -> dict[str, Any]:
    """The words with every change made; those that lead nowhere become problems."""
    result = dict(words)
    for key, value in changes:
        with gathered(problems):
            result = with_change(result, key, value)
    return result


def _layers(words: Words) -> list[str]:
    """The layers that the words name; what is misshapen among them is told of elsewhere."""
    items = words.get("objectives", ())
    named = [item.get("layer") for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    return [layer for layer in named if isinstance(layer, str)]


def _moved(words: Words, network: Network, say: Say) -> Words:
    """A preset's words for another network than its own: layers that this one lacks become its default layer."""
    objectives = []
    for item in words.get("objectives", ()):
        wanted = item.get("layer") if isinstance(item, Mapping) else None
        if wanted is not None and wanted not in network.anatomy.layers:
            say(f"{network.name} has no layer {wanted}; its default layer {network.default_layer} is used instead")
            item = {**item, "layer": network.default_layer}
        objectives.append(item)
    return {**words, "objectives": objectives} if objectives else words


def _wants_guide(item: Any, registry: Registry) -> bool:
    try:
        return "guide" in registry.ingredients["objectives"].get(item["name"]).value.wanted
    except (RecipeError, KeyError, TypeError, AttributeError):
        return True  # an objective that is wrong is told of later
