"""Recipes between two others: numbers on their scale, objectives and priors by their weights, directions on the sphere.

An objective that both recipes have, alike in all but its numbers, is interpolated; one that only one of them has fades
by its weight. Numbers whose least value is above 0, such as sizes and factors, are interpolated on a logarithmic scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from dreamer.recipes.options import Option, fields_of
from dreamer.recipes.recipe import ONES, Ingredient, Octaves, Recipe, Region, Vocabulary

_FADING = ("objectives", "priors")
_ORDERED = ("transforms", "gradient_filters", "updates")


def mixed(first: Recipe, second: Recipe, share: float, vocabulary: Vocabulary) -> Recipe | None:
    """The recipe that is `share` of the way, 0 to 1, from the first to the second.

    None where there is none: where they differ in what is no number, such as the network, the seed or the filters.
    """
    between = _Between(share, vocabulary)
    try:
        return between.recipes(first, second)
    except _ApartError:
        return None


class _ApartError(Exception):
    """There is nothing between two values."""


@dataclass(frozen=True)
class _Between:
    """Mixtures `share` of the way between two of a kind; each method raises _ApartError where there is none."""

    share: float
    vocabulary: Vocabulary

    def recipes(self, a: Recipe, b: Recipe) -> Recipe:
        octaves = self._values(fields_of(Octaves), vars(a.octaves), vars(b.octaves))
        found: dict[str, Any] = self._values(fields_of(Recipe), vars(a), vars(b))
        found |= {kind: self._all(kind, getattr(a, kind), getattr(b, kind)) for kind in _ORDERED}
        found |= {kind: self._fading(kind, getattr(a, kind), getattr(b, kind)) for kind in _FADING}
        found |= {key: self._one(kind, getattr(a, key), getattr(b, key)) for key, kind in ONES.items()}
        return replace(a, octaves=replace(a.octaves, **octaves), **found, regions=self._regions(a.regions, b.regions))

    def _regions(self, a: Sequence[Region], b: Sequence[Region]) -> tuple[Region, ...]:
        if len(a) != len(b):
            raise _ApartError
        return tuple(self._region(one, other) for one, other in zip(a, b, strict=True))

    def _region(self, a: Region, b: Region) -> Region:
        if a.place != b.place:
            raise _ApartError
        if bool(a.objectives) != bool(b.objectives):  # the recipe's own in one of them
            raise _ApartError
        objectives = self._fading("objectives", a.objectives, b.objectives)
        return replace(a, strength=self._linear(a.strength, b.strength), objectives=objectives)

    def _fading(self, kind: str, a: Sequence[Ingredient], b: Sequence[Ingredient]) -> tuple[Ingredient, ...]:
        """The ingredients of both, each with the part of its weight that is left."""
        left, found = list(b), []
        for one in a:
            other = next((other for other in left if self._alike(kind, one, other)), None)
            if other is None:
                found.append(replace(one, weight=one.weight * (1 - self.share)))
                continue
            left.remove(other)
            found.append(replace(self._one(kind, one, other), weight=self._linear(one.weight, other.weight)))
        return (*found, *(replace(other, weight=other.weight * self.share) for other in left))

    def _alike(self, kind: str, a: Ingredient, b: Ingredient) -> bool:
        """Whether two ingredients of a name and layer differ only in real numbers and directions."""
        if (a.name, a.layer) != (b.name, b.layer):
            return False
        options = self.vocabulary(kind, a.name)
        pairs = [(option, _value(a, option), _value(b, option)) for option in options.values()]
        return all(
            x == y or (_is_real(option) and None not in (x, y)) or (_is_vector(option) and len(x) == len(y) > 0)
            for option, x, y in pairs
        )

    def _all(self, kind: str, a: Sequence[Ingredient], b: Sequence[Ingredient]) -> tuple[Ingredient, ...]:
        if len(a) != len(b):
            raise _ApartError
        return tuple(self._one(kind, one, other) for one, other in zip(a, b, strict=True))

    def _one(self, kind: str, a: Ingredient, b: Ingredient) -> Ingredient:
        if a.name != b.name:
            raise _ApartError
        options = self.vocabulary(kind, a.name)
        ours, theirs = ({name: _value(item, option) for name, option in options.items()} for item in (a, b))
        return replace(a, options=self._values(options, ours, theirs))

    def _values(self, options: Mapping[str, Option], a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(option, a[name], b[name]) for name, option in options.items()}

    def _value(self, option: Option, a: Any, b: Any) -> Any:
        if a == b:
            return a
        if _is_vector(option) and len(a) == len(b):
            return self._direction(a, b)
        if option.type not in (int, float) or option.name == "seed" or a is None or b is None:
            raise _ApartError
        value = a * (b / a) ** self.share if option.range.low > 0 else self._linear(a, b)
        return round(value) if option.type is int else value

    def _linear(self, a: float, b: float) -> float:
        return a + (b - a) * self.share

    def _direction(self, a: Sequence[float], b: Sequence[float]) -> tuple[float, ...]:
        """The direction between two on the great circle through both (Shoemake 1985); its length is theirs."""
        long, wide = math.hypot(*a), math.hypot(*b)
        cosine = sum(x * y for x, y in zip(a, b, strict=True)) / (long * wide) if long * wide else 1.0
        angle = math.acos(min(max(cosine, -1.0), 1.0))
        if math.sin(angle) < 1e-6:  # alike, or opposite: no circle, or no certain one
            return tuple(self._linear(x, y) for x, y in zip(a, b, strict=True))
        ours, theirs = (math.sin(part * angle) / math.sin(angle) for part in (1 - self.share, self.share))
        length = self._linear(long, wide)
        return tuple(length * (ours * x / long + theirs * y / wide) for x, y in zip(a, b, strict=True))


def _value(item: Ingredient, option: Option) -> Any:
    return item.options.get(option.name, option.default)


def _is_real(option: Option) -> bool:
    return option.type is float


def _is_vector(option: Option) -> bool:
    return get_origin(option.type) is tuple and get_args(option.type)[0] is float
