"""Tiles whose gradients add up to exactly the gradient of the whole picture.

A tile owns a block of positions of the score map. Its crop is that block's receptive field, its start aligned to the
strides so that pooling phases agree, and cut at the picture's true borders, where the network's own padding acts as it
does without tiles. Positions near the crop's other edges see false borders; the tile does not own them, another does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from dreamer.errors import UsageError, argument
from dreamer.networks.layers import Layer
from dreamer.networks.receptive_field import ReceptiveField

Span = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """A crop of the picture, and the positions of each layer that it owns.

    `rows` and `columns` are the crop's [start, stop) in pixels; `owned` gives for each layer the owned rows and columns
    [start, stop), counted in the feature map of the crop; `positions` how many the layer has in the whole picture.
    """

    rows: Span
    columns: Span
    owned: Mapping[str, tuple[Span, Span]]
    positions: Mapping[str, int]

    def part_of(self, whole: Tensor, layer: Layer, seen: Tensor) -> Tensor:
        """The part of a layer's map (B, H, W) of the whole picture that lies where the crop's features `seen` do."""
        rows, columns = layer.rows or ReceptiveField(), layer.columns or ReceptiveField()
        top, left = self.rows[0] // rows.stride, self.columns[0] // columns.stride
        return whole[:, top : top + seen.shape[-2], left : left + seen.shape[-1]]


def plan(height: int, width: int, tile: int, layers: Mapping[str, Layer], sizes: Mapping[str, Span]) -> list[Tile]:
    """The tiles of a picture.

    Args:
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        tile: Side of a tile in pixels, without its surroundings; rounded down to a multiple of the strides.
        layers: The layers whose positions are to be owned, with their receptive fields.
        sizes: Each layer's (height, width) for the whole picture.

    Raises:
        UsageError: A layer looks at the whole picture.
    """
    refuse_whole(layers.values())
    rows = {name: (layer.rows or ReceptiveField(), sizes[name][0]) for name, layer in layers.items()}
    columns = {name: (layer.columns or ReceptiveField(), sizes[name][1]) for name, layer in layers.items()}
    positions = {name: math.prod(size) for name, size in sizes.items()}
    return [
        Tile(y, x, {name: (rows_owned[name], columns_owned[name]) for name in layers}, positions)
        for (y, rows_owned), (x, columns_owned) in product(_spans(height, tile, rows), _spans(width, tile, columns))
    ]


def refuse_whole(layers: Iterable[Layer]) -> None:
    """Raise UsageError if one of the layers cannot be tiled, with the reason."""
    problems = [
        f"layer {layer.name} cannot be tiled: {layer.whole} looks at the whole picture; "
        f"use {argument('tile', 0, 'none')}, a smaller {argument('size')}, or an earlier layer"
        for layer in layers
        if layer.rows is None
    ]
    if problems:
        raise UsageError(*problems)


def surroundings(layers: Mapping[str, Layer]) -> int:
    """The number of pixels by which a crop may be larger than its tile, along one side."""
    fields = [field for layer in layers.values() for field in (layer.rows, layer.columns) if field]
    return max((field.size + field.reach for field in fields), default=0)


def _spans(
    size: int, tile: int, layers: Mapping[str, tuple[ReceptiveField, int]]
) -> list[tuple[Span, dict[str, Span]]]:
    """Along one axis: each crop [start, stop), and what it owns of each layer, counted from the crop's start."""
    align = math.lcm(*(field.stride for field, _ in layers.values()))
    reach = max(field.reach for field, _ in layers.values())
    side = max(align, tile // align * align)
    spans = []
    for begin in range(0, size, side):
        owned, starts, stops = {}, [], []
        for name, (field, count) in layers.items():
            # Position i belongs to the tile in which pixel i * stride lies; the last tile takes all that are left.
            first = min(count, -(-begin // field.stride))
            last = count if begin + side >= size else min(count, -(-(begin + side) // field.stride))
            owned[name] = first, last
            if first < last:
                starts.append(first * field.stride + field.first)
                stops.append((last - 1) * field.stride + field.last + 1)
        if not starts:
            continue
        start, stop = min(starts), max(stops)
        # Where padding mirrors the picture, positions at one border look further towards the other.
        start, stop = start - reach * (stop >= size), stop + reach * (start <= 0)
        start, stop = max(0, start // align * align), min(size, stop)
        inside = {
            name: (first - start // layers[name][0].stride, last - start // layers[name][0].stride)
            for name, (first, last) in owned.items()
        }
        spans.append(((start, stop), inside))
    return spans
