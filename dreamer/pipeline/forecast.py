"""Forecast of a print's time from a few seconds of its own work: a tile as it is inside the print, and the rest.

A small piece of the print, timed whole, would tell too little: tiles at a border have less around them, and most of a
print's tiles lie at none.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dreamer.engine.objective import scored_layers
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.engine.tiling import plan, surroundings
from dreamer.image import Photo, encode_to
from dreamer.pipeline.enlarging import Enlargement
from dreamer.pipeline.plan import Plan

_PIECE, _SECONDS = 768, 1.5  # side of a piece in pixels; for how long each kind of work is tried


def seconds_of(way: Enlargement, photo: Photo, format: str) -> float:
    """About how many seconds the octaves and the file of a print take, under the load that the machine has now.

    Args:
        way: The print.
        photo: Its photo, of any size.
        format: Of its file, PNG or TIFF.
    """
    if not way.octaves:
        return 0.0
    size = way.size
    piece = way.undreamt((min(_PIECE, size[0]), min(_PIECE, size[1])))
    pixels = sum(math.prod(octave.size) for octave in way.octaves)
    still = _Still()
    beside = _seconds(lambda: way.tried(piece, still)) / piece[0, 0].numel() * pixels
    small = photo.deep().resized(max(piece.shape))
    file = _seconds(lambda: encode_to(io.BytesIO(), small, small.pixels, format)) / (small.width * small.height)
    return _looking(way) + beside + file * math.prod(size)


def _looking(way: Enlargement) -> float:
    """The seconds that the network takes in all octaves: those of one of their tiles, as often as it fits into them."""
    tile, pipeline, size = way.machine.tile, way.pipeline, way.size
    layers = scored_layers(pipeline.network, pipeline.terms)
    side = tile + surroundings(layers) if tile else _PIECE
    picture = way.undreamt((min(side, size[0]), min(side, size[1]))).to(way.machine.device)
    scorer = pipeline.scorer(Plan(way.octaves, replace(way.machine, tile=0)))
    context = StepContext(picture, picture, Step(0, 1, 0, 1, 0.0, (picture.shape[-2], picture.shape[-1])))
    look = _seconds(lambda: scorer.gradient(picture, context))
    seen = 0
    for octave in way.octaves:
        height, width = octave.size
        if tile and max(octave.size) > tile:
            cut = plan(height, width, tile, layers, pipeline.network.sizes(height, width, layers))
            area = sum((part.rows[1] - part.rows[0]) * (part.columns[1] - part.columns[0]) for part in cut)
        else:
            area = height * width
        seen += area * octave.steps
    return look * seen / picture[0, 0].numel()


class _Still(Scorer):
    """Looks at nothing: what takes time is all that lies beside the network."""

    def __init__(self) -> None:
        pass

    def gradient(self, image: Tensor, context: StepContext, weights: Sequence[float] = ()) -> tuple[float, Tensor]:
        """Any gradient."""
        return 0.0, image - 0.5

    def balance(self, image: Tensor, context: StepContext) -> list[float]:
        """Nothing is weighted."""
        return []


def _seconds(work: Callable[[], object]) -> float:
    """The seconds that a piece of work takes: the mean of a few turns after the first, which warms up."""
    took: list[float] = []
    while len(took) < 2 or sum(took) < _SECONDS:
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        took.append(time.perf_counter() - began)
        if sum(took) >= 2 * _SECONDS:
            break
    return sum(took[1:]) / len(took[1:]) if len(took) > 1 else took[0]
