"""The choices on the studio's page: looks, and every recipe option with its type, range, default and explanation."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from dreamer.errors import DreamerError

if TYPE_CHECKING:
    from dreamer.recipes.options import Option
    from dreamer.recipes.registry import Registry


def vocabulary(registry: Registry) -> dict[str, Any]:
    """Looks, the recipe's own keys, and the ingredients of each kind with their options, as JSON has them."""
    from dreamer.recipes.options import fields_of
    from dreamer.recipes.recipe import INGREDIENTS, ONES, Octaves, Recipe

    kinds = {
        kind: [
            {
                "name": shelf.shortest_name(entry),
                "from": entry.source,
                "summary": entry.value.summary,
                "about": inspect.getdoc(entry.value.function) or "",
                "options": _options(entry.value.options),
            }
            for entry in shelf
        ]
        for kind, shelf in registry.ingredients.items()
    }
    return {
        "looks": _looks(registry),
        "recipe": _options(fields_of(Recipe)),
        "octaves": _options(fields_of(Octaves)),
        "about": {"recipe": inspect.getdoc(Recipe), "octaves": inspect.getdoc(Octaves)},
        "lists": list(INGREDIENTS),
        "ones": dict(ONES),
        "kinds": kinds,
    }


def _looks(registry: Registry) -> list[dict[str, str]]:
    """The presets that can be had here; one whose plugin is missing is left out."""
    from dreamer.recipes.preset import find_preset

    found = []
    for entry in registry.presets:
        with suppress(DreamerError):
            name = registry.presets.shortest_name(entry)
            preset = find_preset(registry, name)
            about = {"title": preset.title or name, "about": preset.description, "likes": preset.likes}
            found.append({"name": name, **about})
    return found


def look_of(recipe: Mapping[str, Any], registry: Registry) -> str:
    """The name of the preset that a complete recipe has all words of, but for its seed; empty for none."""
    found = {}
    for name, words in _words(registry).items():
        if _holds(recipe, {key: value for key, value in words.items() if key != "seed"}):
            found[name] = len(json.dumps(words))
    return max(found, key=lambda name: found[name], default="")


@cache
def _words(registry: Registry) -> dict[str, Mapping[str, Any]]:
    """The words of every preset that can be had here, by name."""
    from dreamer.recipes.preset import find_preset

    found = {}
    for entry in registry.presets:
        with suppress(DreamerError):
            name = registry.presets.shortest_name(entry)
            found[name] = find_preset(registry, name).words
    return found


def _holds(whole: Any, part: Any) -> bool:
    """Whether a recipe's words are all in another one; a list may have more at its end or between."""
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(key in whole and _holds(whole[key], part[key]) for key in part)
    if isinstance(part, list) and part and isinstance(part[0], Mapping):
        return isinstance(whole, list) and all(any(_holds(one, each) for one in whole) for each in part)
    if isinstance(part, (list, tuple)):
        return isinstance(whole, (list, tuple)) and list(whole) == list(part)
    return bool(whole == part)


def _options(options: Mapping[str, Option]) -> list[dict[str, Any]]:
    return [_option(option) for option in options.values()]


def _option(option: Option) -> dict[str, Any]:
    kind, several = option.type, False
    if get_origin(kind) is tuple:
        kind, several = get_args(kind)[0], True
    choices = list(get_args(kind)) if get_origin(kind) is Literal else []
    words = {int: "whole", float: "number", bool: "switch", str: "text"}
    return {
        "name": option.name,
        "type": "list" if several else "choice" if choices else words.get(kind, "text"),
        "choices": choices,
        "default": list(option.default) if isinstance(option.default, tuple) else option.default,
        "low": option.range.low if math.isfinite(option.range.low) else None,
        "high": option.range.high if math.isfinite(option.range.high) else None,
        "optional": option.optional,
        "allowed": option.allowed,
    }
