"""Objectives that add and scale, for `dreamer.visualize`: 2 * channel("m4b", 12) - channel("m4b", 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dreamer.api.values import numbers_of
from dreamer.errors import UsageError
from dreamer.recipes.arguments import check, is_number
from dreamer.visualization.custom_objective import Features


@dataclass(frozen=True)
class Term:
    """A score of a network's features, larger for what is wanted; add it to others, subtract it, or scale it.

    Call it with {layer: features (B, C, h, w)} for the score of each picture, (B,), or of one of them, ().
    """

    parts: tuple[tuple[float, Callable[[Features], Tensor]], ...]
    stands_alone: ClassVar = True  # it is given features by layers, which no ingredient of a list is

    def __call__(self, features: Features) -> Tensor:
        scores = [weight * score(features) for weight, score in self.parts]
        total: Tensor = sum(scores[1:], scores[0])
        return total

    def __mul__(self, factor: float) -> Term:
        if not is_number(factor):
            return NotImplemented
        return Term(tuple((weight * float(factor), score) for weight, score in self.parts))

    def __add__(self, other: Term) -> Term:
        if not isinstance(other, Term):
            return NotImplemented
        return Term(self.parts + other.parts)

    def __radd__(self, other: object) -> Term:
        return self if other == 0 else NotImplemented  # with which `sum` begins

    def __sub__(self, other: Term) -> Term:
        if not isinstance(other, Term):
            return NotImplemented
        return self + -other

    def __neg__(self) -> Term:
        return self * -1

    def __truediv__(self, divisor: float) -> Term:
        if not is_number(divisor):
            return NotImplemented
        if divisor == 0:
            raise UsageError("objective: a term cannot be divided by zero; divide by another number")
        return self * (1 / divisor)

    __rmul__ = __mul__


def channel(layer: str, number: int, *, picture: int | None = None) -> Term:
    """The mean of a channel over its map.

    Args:
        layer: A layer's name.
        number: The channel's, from 0.
        picture: Which of several pictures at once shall have it, from 0; by default each.

    Raises:
        UsageError: An argument is not what it can be; when it is used, that there is no such layer, channel or picture.
    """
    check(layer_=layer, number=number)
    return _term(layer, picture, lambda map: map[:, _index(map, number, layer, "channel")].mean((1, 2)))


def neuron(
    layer: str, number: int, row: int | None = None, column: int | None = None, *, picture: int | None = None
) -> Term:
    """A channel at one place of its map, by default in the middle; `picture` and errors are as for `channel`.

    A place outside of the map is a UsageError, too, when the term is used.
    """
    check(layer_=layer, number=number, row=row, column=column)

    def score(map: Tensor) -> Tensor:
        height, width = map.shape[2:]
        down, right = height // 2 if row is None else row, width // 2 if column is None else column
        if not (down < height and right < width):
            size = f"{layer} has rows 0 to {height - 1} and columns 0 to {width - 1} here"
            raise UsageError(f"neuron: {size}, and no row {down}, column {right}")
        return map[:, _index(map, number, layer, "neuron"), down, right]

    return _term(layer, picture, score)


def direction(layer: str, vector: Sequence[float] | Tensor, *, picture: int | None = None) -> Term:
    """The mean of the features along a direction, with a number for each channel; all else is as for `channel`."""
    check(layer_=layer)
    numbers = torch.tensor(numbers_of("vector", vector))

    def score(map: Tensor) -> Tensor:
        if len(numbers) != map.shape[1]:
            has = f"it has {len(numbers)} numbers, and layer {layer} has {map.shape[1]} channels"
            raise UsageError(f"direction: {has}; give one for each")
        return torch.einsum("c,bchw->bhw", numbers.to(map), map).mean((1, 2))

    return _term(layer, picture, score)


def _term(layer: str, picture: int | None, score: Callable[[Tensor], Tensor]) -> Term:
    """A term of a layer's map (B, C, h, w); `score` gives (B,)."""
    check(picture=picture)

    def scored(features: Features) -> Tensor:
        map = features[layer]
        if picture is None:
            return score(map)
        if picture >= len(map):
            raise UsageError(f"picture: there are pictures 0 to {len(map) - 1} here, and no {picture}")
        return score(map[[picture]])[0]

    return Term(((1.0, scored),))


def _index(map: Tensor, number: int, layer: str, asked: str) -> int:
    if not 0 <= number < map.shape[1]:
        raise UsageError(f"{asked}: {layer} has channels 0 to {map.shape[1] - 1}, and no {number}")
    return number
