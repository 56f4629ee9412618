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
from dreamer.engine.octaves import Octave
from dreamer.engine.score import Scorer
from dreamer.engine.step import Step, StepContext
from dreamer.engine.tiling import plan, surroundings
from dreamer.image import Photo, encode_to
from dreamer.pipeline.enlarging import Enlargement, Size
from dreamer.pipeline.plan import Plan

_PIECE, _SECONDS = 768, 1.5  # side of a piece in pixels at most; for how long each kind of work is tried


def seconds_of(way: Enlargement, photo: Photo, format: str, crop: Size) -> float:
    """About how many seconds a print takes under the load that the machine has now: proof, crop, octaves and file.

    Args:
        way: The print.
        photo: Its photo, of any size.
        format: Of its file, PNG or TIFF.
        crop: The most (height, width) that is drawn of each octave as a proof, `way.piece`.
    """
    if not way.octaves:
        return 0.0
    size, last = way.size, way.octaves[-1]
    parts = [replace(octave, size=_smaller(octave.size, crop)) for octave in way.octaves]
    octaves = [*way.first.octaves, *parts, *way.octaves]
    piece = way.undreamt(_smaller(size, (_PIECE, _PIECE)))
    still = _Still()
    beside = _seconds(lambda: way.tried(piece, still)) / (piece[0, 0].numel() * max(last.steps, 1))
    small = photo.deep().resized(max(piece.shape))
    file = _seconds(lambda: encode_to(io.BytesIO(), small, small.pixels, format)) / (small.width * small.height)
    pixels = sum(math.prod(octave.size) * octave.steps for octave in octaves)
    return _looking(way, octaves) + beside * pixels + file * math.prod(size)


def _looking(way: Enlargement, octaves: Sequence[Octave]) -> float:
    """The seconds that the network takes in these octaves: those of one look, as often as it fits into their tiles."""
    tile, pipeline = way.machine.tile, way.pipeline
    layers = scored_layers(pipeline.network, pipeline.terms)
    side = min(tile + surroundings(layers), _PIECE) if tile else _PIECE
    picture = way.undreamt(_smaller(way.size, (side, side))).to(way.machine.device)
    scorer = pipeline.scorer(Plan(way.octaves, replace(way.machine, tile=0)))
    context = StepContext(picture, picture, Step(0, 1, 0, 1, 0.0, (picture.shape[-2], picture.shape[-1])))
    look = _seconds(lambda: scorer.gradient(picture, context))
    seen = 0
    for octave in octaves:
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


def _smaller(one: Size, other: Size) -> Size:
    """As large as both allow."""
    return min(one[0], other[0]), min(one[1], other[1])


def _seconds(work: Callable[[], object]) -> float:
    """The seconds that a piece of work takes: the mean of a few turns after the first, which warms up."""

    def done() -> float:
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    began = last = done()
    turns = 0
    while not turns or last - began < _SECONDS:
        last, turns = done(), turns + 1
    return (last - began) / turns
