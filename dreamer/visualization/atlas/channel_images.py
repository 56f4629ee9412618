"""The plates of an atlas: what each channel of a layer wants to see, several channels in one batch."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dreamer.engine.score import WeightedObjective
from dreamer.engine.step import Step, StepContext
from dreamer.image import to_pil
from dreamer.pipeline.pipeline import Pipeline
from dreamer.visualization.unit import FROM_NOTHING, Features, grey

STEPS, SIZE = 32, 96
"""Of a plate, where nobody says otherwise: enough to tell channels apart at the size of a stamp."""
_MARGIN = 4  # px: the outermost are dreamt and cut off; at the border a network answers to its own padding
_BATCH = {"cuda": 64}  # on a processor more than a few at once are no faster


def words(layer: str, *, size: int = SIZE, steps: int = STEPS, seed: int = 0) -> dict[str, Any]:
    """A plate as a recipe: a visualization that is small and climbs fast."""
    return {
        **FROM_NOTHING,
        "size": size + 2 * _MARGIN,
        "seed": seed,
        "octaves": {"count": 1, "steps": steps},
        "optimiser": {"name": "adam", "rate": 0.1},
        "objectives": [{"name": "channel", "layer": layer, "normalise": False, "square": False}],
    }


def plates(
    pipeline: Pipeline,
    channels: Sequence[int],
    *,
    on_step: Callable[[int, int, Step], None] = lambda done, batch, step: None,
) -> Iterator[tuple[int, bytes]]:
    """Each channel's number and picture, a WebP file, made as `dreamer visualize` would, several at once.

    `pipeline` is one of `words`. `on_step` is told how many are done, and how many the Step is of. Raises
    RenderError, and Interrupted.
    """
    (layer,), side = pipeline.layers, pipeline.recipe.size
    several = _BATCH.get(pipeline.machine.device, 8)
    for begin in range(0, len(channels), several):
        batch = list(channels[begin : begin + several])
        one = replace(
            pipeline,
            recipe=replace(pipeline.recipe, pictures=len(batch)),
            own=WeightedObjective("channel", 1.0, layer, _each(layer, batch), layers=(layer,)),
        )
        pictures = one.ascend(grey(side, side), on_step=partial(on_step, begin, len(batch)))
        pictures = pictures[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN].cpu()
        for channel, picture in zip(batch, pictures, strict=True):
            yield channel, webp(picture[None])


def _each(layer: str, channels: list[int]) -> Callable[[Features, StepContext], Tensor]:
    """The first picture's first channel, the second one's second, ...: (B, h, w)."""
    return lambda features, moment: features[layer][torch.arange(len(channels)), channels]


def webp(picture: Tensor) -> bytes:
    """A picture (1, 3, H, W) in [0, 1], small."""
    file = io.BytesIO()
    to_pil(picture).save(file, "WEBP", quality=82, method=4)
    return file.getvalue()
