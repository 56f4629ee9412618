"""Tiles whose gradients add up to exactly the gradient of the whole picture.

A tile owns a block of score positions. Its crop is that block's receptive field, its start aligned to the strides so
that pooling phases agree, and cut at the picture's true borders, where the network's own padding acts as it does
untiled. Positions beside the crop's other edges see false borders, but nobody owns them: another tile does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from dreamer.anatomy import Field, Layer
from dreamer.errors import UsageError

Span = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """A crop of the picture, `rows` and `columns` [start, stop) in pixels, and what it owns of each layer's map.

    `owned` gives, for each layer, the rows and columns [start, stop) of the crop's own feature map.
    """

    rows: Span
    columns: Span
    owned: Mapping[str, tuple[Span, Span]]


def whole(height: int, width: int, sizes: Mapping[str, Span]) -> list[Tile]:
    """One tile: the picture."""
    owned = {name: ((0, h), (0, w)) for name, (h, w) in sizes.items()}
    return [Tile((0, height), (0, width), owned)]


def plan(height: int, width: int, tile: int, layers: Mapping[str, Layer], sizes: Mapping[str, Span]) -> list[Tile]:
    """Tiles of about `tile` pixels a side (plus their surroundings) for a picture and the layers' (h, w) there.

    Raises UsageError for a layer that looks at the whole picture.
    """
    refuse_whole(layers.values())
    rows = {name: (layer.rows or Field(), sizes[name][0]) for name, layer in layers.items()}
    columns = {name: (layer.columns or Field(), sizes[name][1]) for name, layer in layers.items()}
    return [
        Tile(y, x, {name: (rows_owned[name], columns_owned[name]) for name in layers})
        for (y, rows_owned), (x, columns_owned) in product(_spans(height, tile, rows), _spans(width, tile, columns))
    ]


def refuse_whole(layers: object) -> None:
    """Raise UsageError when one of the layers cannot be tiled, saying why."""
    problems = [
        f"layer {layer.name} cannot be tiled: {layer.whole} looks at the whole picture; "
        "use --tile none, a smaller --size, or an earlier layer"
        for layer in layers  # type: ignore[attr-defined]
        if layer.rows is None
    ]
    if problems:
        raise UsageError(*problems)


def surroundings(layers: Mapping[str, Layer]) -> int:
    """How many pixels a crop may be larger than its tile, along one side."""
    return max((max(f.size + f.reach for f in (layer.rows, layer.columns) if f) for layer in layers.values()), default=0)


def _spans(size: int, tile: int, layers: Mapping[str, tuple[Field, int]]) -> list[tuple[Span, dict[str, Span]]]:
    """Along one axis: the crops [start, stop), and what each owns of each layer, counted from the crop's start."""
    align = math.lcm(*(field.stride for field, _ in layers.values()))
    step = max(align, tile // align * align)
    spans = []
    for begin in range(0, size, step):
        end = begin + step if begin + step < size else math.inf
        owned = {
            name: (min(count, -(-begin // field.stride)), min(count, math.ceil(end / field.stride)) if end < math.inf else count)
            for name, (field, count) in layers.items()
        }
        busy = {name: span for name, span in owned.items() if span[0] < span[1]}
        if not busy:
            continue
        start = min(span[0] * layers[name][0].stride + layers[name][0].first for name, span in busy.items())
        stop = max((span[1] - 1) * layers[name][0].stride + layers[name][0].last + 1 for name, span in busy.items())
        # Where padding mirrors the picture, positions at one border look further towards the other.
        reach = max(field.reach for field, _ in layers.values())
        start, stop = start - reach * (stop >= size), stop + reach * (start <= 0)
        start, stop = max(0, start // align * align), min(size, stop)
        inside = {
            name: (first - start // layers[name][0].stride, last - start // layers[name][0].stride)
            for name, (first, last) in owned.items()
        }
        spans.append(((start, stop), inside))
    return spans
