"""Tiles whose gradients add up to exactly the gradient of the whole picture.

A tile owns a block of positions of the score map. Its crop is that block's receptive field, its start aligned to the
strides so that pooling phases agree, and cut at the picture's true borders, where the network's own padding acts as it
does without tiles. Positions near the crop's other edges see false borders; the tile does not own them, another does.

A picture that goes round has no borders there: crops reach beyond its edges, and are fetched from its other side. As a
whole it is one tile with such surroundings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from torch import Tensor

from dreamer.errors import UsageError, argument
from dreamer.image import OPEN, Edges
from dreamer.image.edges import around, periods
from dreamer.networks.layers import Layer
from dreamer.networks.receptive_field import ReceptiveField

SMALLEST_TILE = 64  # px: smaller ones consist of little but surroundings

Span = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """A crop of the picture, and the positions of each layer that it owns.

    `rows` and `columns` are the crop's [start, stop) in pixels, beyond the picture's where that goes round; `owned`
    gives for each layer the owned rows and columns [start, stop), counted in the feature map of the crop; `positions`
    how many the layer has in the whole picture.
    """

    rows: Span
    columns: Span
    owned: Mapping[str, tuple[Span, Span]]
    positions: Mapping[str, int]

    def crop(self, image: Tensor) -> Tensor:
        """The tile of a picture (B, C, H, W), with its surroundings."""
        return around(around(image, -2, self.rows), -1, self.columns)

    def add(self, whole: Tensor, part: Tensor) -> None:
        """Add what belongs to the crop to the picture's own (B, C, H, W), in place."""
        for (rows, high), (columns, wide) in product(
            periods(self.rows, whole.shape[-2]), periods(self.columns, whole.shape[-1])
        ):
            whole[..., rows, columns].add_(part[..., high, wide])

    def own(self, layer: str, seen: Tensor) -> Tensor:
        """The positions of a layer's features or scores (..., h, w) that the tile owns."""
        rows, columns = self.owned[layer]
        return seen[..., slice(*rows), slice(*columns)]

    def owns_all(self, layer: str) -> bool:
        """Whether it is the only tile: that of a whole picture which goes round."""
        return math.prod(stop - start for start, stop in self.owned[layer]) == self.positions[layer]

    def part_of(self, whole: Tensor, layer: Layer, seen: Tensor) -> Tensor:
        """The part of a layer's map (B, H, W) of the whole picture that lies where the crop's features `seen` do."""
        for dim, field, crop in ((-2, layer.rows, self.rows), (-1, layer.columns, self.columns)):
            start = crop[0] // (field or ReceptiveField()).stride
            whole = around(whole, dim, (start, start + seen.shape[dim]))
        return whole


def plan(
    height: int, width: int, tile: int, layers: Mapping[str, Layer], sizes: Mapping[str, Span], edges: Edges = OPEN
) -> list[Tile]:
    """The tiles of a picture.

    Args:
        height: Of the picture, in pixels.
        width: Of the picture, in pixels.
        tile: Side of a tile in pixels, without its surroundings; rounded down to a multiple of the strides.
        layers: The layers whose positions are to be owned, with their receptive fields.
        sizes: Each layer's (height, width) for the whole picture.
        edges: Where the picture goes round.

    Raises:
        UsageError: A layer looks at the whole picture.
    """
    refuse_whole(layers.values(), edges)
    rows = {name: (layer.rows or ReceptiveField(), sizes[name][0]) for name, layer in layers.items()}
    columns = {name: (layer.columns or ReceptiveField(), sizes[name][1]) for name, layer in layers.items()}
    positions = {name: math.prod(size) for name, size in sizes.items()}
    return [
        Tile(y, x, {name: (rows_owned[name], columns_owned[name]) for name in layers}, positions)
        for (y, rows_owned), (x, columns_owned) in product(
            _spans(height, tile, rows, edges.y), _spans(width, tile, columns, edges.x)
        )
    ]


def positions(size: Span, layers: Mapping[str, Layer], sizes: Mapping[str, Span], edges: Edges) -> dict[str, Span]:
    """Each layer's (height, width) for a picture of `size`; one for each stride along an axis that goes round.

    `sizes` are those of a picture that goes round nowhere.
    """
    found = {}
    for name, layer in layers.items():
        high, wide = sizes[name]
        rows, columns = layer.rows or ReceptiveField(), layer.columns or ReceptiveField()
        found[name] = (size[0] // rows.stride if edges.y else high, size[1] // columns.stride if edges.x else wide)
    return found


def stride(layers: Iterable[Layer]) -> int:
    """The least number of pixels by which a picture that goes round can be moved without another gradient."""
    return math.lcm(*(field.stride for layer in layers for field in (layer.rows, layer.columns) if field))


def refuse_whole(layers: Iterable[Layer], edges: Edges = OPEN) -> None:
    """Raise UsageError if one of the layers cannot be tiled, or go round, with the reason."""
    lacks, how = "be tiled", f"{argument('tile', 0, 'none')}, a smaller {argument('size')}"
    if edges:
        lacks, how = "go round", argument("wrap", "none")
    problems = [
        f"layer {layer.name} cannot {lacks}: {layer.whole} looks at the whole picture; use {how}, or an earlier layer"
        for layer in layers
        if layer.rows is None
    ]
    if problems:
        raise UsageError(*problems)


def surroundings(layers: Mapping[str, Layer]) -> int:
    """The number of pixels by which a crop may be larger than its tile, along one side."""
    fields = [field for layer in layers.values() for field in (layer.rows, layer.columns) if field]
    return max((field.size + field.reach for field in fields), default=0)


def largest_tile(layers: Mapping[str, Layer], free: int, pictures: int = 1) -> int:
    """The side in pixels of the largest tile of so many pictures whose passes take at most `free` bytes."""
    per_pixel = pass_memory(layers) * pictures
    return max(SMALLEST_TILE, int((free / per_pixel) ** 0.5) - surroundings(layers))


def steady_tile(largest: int) -> int:
    """The side in pixels of tiles of `largest` pixels at most, one of 64, 90, 128 ... 2048, 2896 and so on.

    A little more or less free memory than at the last start then changes no byte.
    """
    return int(SMALLEST_TILE * 2 ** (math.floor(2 * math.log2(largest / SMALLEST_TILE)) / 2))


def pass_memory(layers: Mapping[str, Layer]) -> float:
    """Bytes for each pixel of a picture or tile that a forward and backward pass up to these layers takes."""
    return max(layer.memory for layer in layers.values()) * 1.5  # the gradients on the way back


def _spans(
    size: int, tile: int, layers: Mapping[str, tuple[ReceptiveField, int]], round_: bool = False
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
        if round_:
            start = start // align * align
        else:  # Where padding mirrors the picture, positions at one border look further towards the other.
            start, stop = start - reach * (stop >= size), stop + reach * (start <= 0)
            start, stop = max(0, start // align * align), min(size, stop)
        inside = {
            name: (first - start // layers[name][0].stride, last - start // layers[name][0].stride)
            for name, (first, last) in owned.items()
        }
        spans.append(((start, stop), inside))
    return spans
