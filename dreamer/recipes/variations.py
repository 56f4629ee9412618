"""Variations: a recipe whose numbers are drawn anew, each near its own value."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Any

from dreamer.recipes.options import Option, fields_of
from dreamer.recipes.recipe import INGREDIENTS, ONES, Ingredient, Octaves, Recipe, RecipeDict, Vocabulary

_FIXED = frozenset({"seed", "size", "pictures", "redirect", "octaves.count"})
"""Numbers that are no quantities of a look, or that change what is drawn and not how."""
_DIGITS = 3


def varied(words: RecipeDict, vocabulary: Vocabulary, amount: float, number: int) -> list[tuple[str, Any, float]]:
    """The changes that make variation `number` of a complete recipe.

    Every option that has a bounded `Range` and is not off, which 0 means, is drawn: up to 1 + `amount` times as large
    or as small, evenly on the scale of ratios, and turned back at the ends of its range. The draws follow from the
    recipe and the number alone, so that variations of a variation go on in other directions.

    Args:
        words: The complete recipe, as `Recipe.to_dict` gives it.
        vocabulary: Where the ingredients' options come from.
        amount: From 0; 0.2 is up to a fifth more, or a sixth less.
        number: Which variation.

    Returns:
        (key as `--set` speaks, value of three digits, value as a multiple of the recipe's), the largest changes first.
    """
    seed = json.dumps(words, sort_keys=True, default=list)
    changes = []
    for key, option, value in _numbers(words, vocabulary):
        draw = random.Random(f"{number} {key} {seed}").uniform(-1, 1)
        drawn = _near(value * (1 + amount) ** draw, option)
        if drawn not in (value, 0):
            changes.append((key, drawn, drawn / value))
    return sorted(changes, key=lambda change: -abs(math.log(change[2])))


def _near(value: float, option: Option) -> Any:
    """The value within the option's range, beyond whose ends it is turned back, rounded as its type is."""
    low, high = option.range.low, option.range.high
    value = high * high / value if value > high > 0 else low * low / value if 0 < value < low else value
    whole = round(value) if option.type is int else float(f"{value:.{_DIGITS}g}")
    return option.type(min(max(whole, low), high))


def _numbers(words: RecipeDict, vocabulary: Vocabulary) -> Iterator[tuple[str, Option, float]]:
    """(key, option, value) of everything that is drawn."""
    tables: list[tuple[str, RecipeDict, dict[str, Option]]] = [
        ("", words, dict(fields_of(Recipe))),
        ("octaves.", words["octaves"], dict(fields_of(Octaves))),
    ]
    weight = {"weight": fields_of(Ingredient)["weight"]}
    for kind in INGREDIENTS:
        for item in words[kind]:
            options = {**(weight if kind in ("objectives", "priors") else {}), **vocabulary(kind, item["name"])}
            tables.append((f"{kind}.{item.get('id', item['name'])}.", item, options))
    tables += [(f"{key}.", words[key], dict(vocabulary(kind, words[key]["name"]))) for key, kind in ONES.items()]
    for prefix, table, options in tables:
        for name, option in options.items():
            value, key = table.get(name), f"{prefix}{name}"
            counts = option.type in (int, float) and option.name != "seed" and key not in _FIXED
            if counts and math.isfinite(option.range.high) and isinstance(value, (int, float)) and value:
                yield key, option, value
