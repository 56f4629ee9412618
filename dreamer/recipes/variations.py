"""Variations: a recipe whose numbers are drawn at random, each near its own value."""

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

    Every option that has a bounded `Range` is drawn evenly on its own scale: shares, whose range ends at 1, on that of
    log odds, on which a half goes up or down by some `amount`, while 0 and 1, nothing and all of it, stay; all others
    on that of ratios, up to 1 + `amount` times as large or as small, and turned back at the ends of their range. The
    draws follow from the recipe and the number alone, so that variations of a variation go on in other directions.

    Args:
        words: The complete recipe, as `Recipe.to_dict` gives it.
        vocabulary: Where the ingredients' options come from.
        amount: From 0 to 1. With 0.2 a size is a fifth larger or a sixth smaller at most, and a half is 0.3 to 0.7.
        number: Which variation.

    Returns:
        (key as `--set` speaks, value of three digits, how far it is on its scale), the farthest first.
    """
    seed = json.dumps(words, sort_keys=True, default=list)
    changes = []
    for key, option, value in _numbers(words, vocabulary):
        draw = random.Random(f"{number} {key} {seed}").uniform(-1, 1)
        drawn = _rounded(_near(value, option, amount * draw), option)
        if drawn not in (value, 0):
            changes.append((key, drawn, abs(draw)))
    return sorted(changes, key=lambda change: -change[2])


def _near(value: float, option: Option, way: float) -> float:
    """The value that lies `way`, from -1 to 1, from this one on its scale."""
    low, high = option.range.low, option.range.high
    if 0 <= low and high == 1:
        odds = value / (1 - value) * math.exp(4 * way) if value < 1 else math.inf
        return 1 / (1 + 1 / odds)
    drawn = value * (1 + abs(way)) ** math.copysign(1, way)
    turned = high * high / drawn if drawn > high > 0 else low * low / drawn if 0 < drawn < low else drawn
    return float(turned)


def _rounded(value: float, option: Option) -> Any:
    """The value as the option's type is, within its range."""
    whole = round(value) if option.type is int else float(f"{value:.{_DIGITS}g}")
    return option.type(min(max(whole, option.range.low), option.range.high))


def _numbers(words: RecipeDict, vocabulary: Vocabulary) -> Iterator[tuple[str, Option, float]]:
    """(key, option, value) of everything that is drawn."""
    tables: list[tuple[str, RecipeDict, dict[str, Option]]] = [
        ("", words, dict(fields_of(Recipe))),
        ("octaves.", words["octaves"], dict(fields_of(Octaves))),
    ]
    weight = {"weight": fields_of(Ingredient)["weight"]}
    for kind in INGREDIENTS:
        weighed = kind == "priors" or (
            kind == "objectives" and len(words[kind]) > 1
        )  # alone, an objective has no rival
        for item in words[kind]:
            options = {**(weight if weighed else {}), **vocabulary(kind, item["name"])}
            tables.append((f"{kind}.{item.get('id', item['name'])}.", item, options))
    if any(words[key]["name"] != getattr(Recipe, key).name for key in ONES):  # else they are not used
        tables += [(f"{key}.", words[key], dict(vocabulary(kind, words[key]["name"]))) for key, kind in ONES.items()]
    for prefix, table, options in tables:
        for name, option in options.items():
            value, key = table.get(name), f"{prefix}{name}"
            counts = option.type in (int, float) and option.name != "seed" and key not in _FIXED
            if counts and math.isfinite(option.range.high) and isinstance(value, (int, float)) and value:
                yield key, option, value
