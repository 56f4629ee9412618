"""The channel images of an atlas: a small visualization of each channel, several channels in one batch."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from dreamer.engine.objective import WeightedObjective
from dreamer.engine.step import Step, StepContext
from dreamer.image import load, to_pil
from dreamer.pipeline.pipeline import Pipeline
from dreamer.visualization.custom_objective import Features
from dreamer.visualization.unit import FROM_NOTHING, grey

STEPS, SIZE = 32, 96
"""Defaults for a channel image: enough to tell channels apart at a small size."""
_MARGIN = 4  # px: the borders are dreamt and cut off, because there the network sees its own padding
_BATCH = {"cuda": 64}  # on a CPU larger batches than the default are no faster


def batch_on(device: str) -> int:
    """The number of channels that are drawn at once on a device."""
    return _BATCH.get(device.partition(":")[0], 8)


def channel_recipe(layer: str, *, size: int = SIZE, steps: int = STEPS, seed: int = 0) -> dict[str, Any]:
    """The recipe of a layer's channel images: small visualizations with few, large steps."""
    return {
        **FROM_NOTHING,
        "size": size + 2 * _MARGIN,
        "seed": seed,
        "octaves": {"count": 1, "steps": steps},
        "optimiser": {"name": "adam", "rate": 0.1},
        "objectives": [{"name": "channel", "layer": layer, "normalise": False, "square": False}],
    }


def draw_channels(
    pipeline: Pipeline,
    channels: Sequence[int],
    *,
    directions: Tensor | None = None,
    on_step: Callable[[int, int, Step], None] = lambda done, batch, step: None,
) -> Iterator[tuple[int, bytes]]:
    """Draw channels as `dreamer visualize` would, in batches.

    Args:
        pipeline: Built of a `channel_recipe`.
        channels: Their numbers.
        directions: Draws these directions (N, C) instead, counted from 1.
        on_step: Called after each step with the number of channels done, the size of the current batch, and the step.

    Yields:
        Each channel's number and its image as a WebP file.

    Raises:
        RenderError: A picture became NaN or Inf.
        Interrupted: Ctrl-C was pressed.
    """
    (layer,), side = pipeline.layers, pipeline.recipe.size
    batch_size = batch_on(pipeline.machine.device)
    for begin in range(0, len(channels), batch_size):
        batch = list(channels[begin : begin + batch_size])
        one = replace(
            pipeline,
            recipe=replace(pipeline.recipe, pictures=len(batch)),
            own=WeightedObjective("channel", 1.0, layer, _one_each(layer, batch, directions), layers=(layer,)),
        )
        pictures = one.ascend(grey(side, side), on_step=partial(on_step, begin, len(batch)))
        pictures = pictures[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN].cpu()
        for channel, picture in zip(batch, pictures, strict=True):
            yield channel, webp(picture[None])


@torch.no_grad()
def silent_channels(pipeline: Pipeline, images: Mapping[int, bytes]) -> list[int]:
    """The channels that do not fire anywhere in their own images, which are WebP files of one size."""
    (layer,), channels, found = pipeline.layers, list(images), []
    network = pipeline.session.prepared((layer,), torch.float32)
    for begin in range(0, len(channels), 8):
        batch = channels[begin : begin + 8]
        pictures = torch.cat([load(Image.open(io.BytesIO(images[channel]))).image() for channel in batch])
        seen = network.features(pictures.to(pipeline.machine.device), [layer])[layer]
        found += [channel for row, channel in enumerate(batch) if seen[row, channel].max() <= 0]
    return found


def _one_each(layer: str, batch: list[int], directions: Tensor | None) -> Callable[[Features, StepContext], Tensor]:
    """An objective: of each picture in a batch its own channel's activations, or its own direction's, (B, h, w)."""
    if directions is None:
        return lambda features, context: features[layer][torch.arange(len(batch)), batch]
    ways = directions[[number - 1 for number in batch]]
    return lambda features, context: torch.einsum("bchw,bc->bhw", features[layer], ways.to(features[layer]))


def webp(picture: Tensor) -> bytes:
    """A picture (1, 3, H, W) in [0, 1] as a WebP file."""
    file = io.BytesIO()
    to_pil(picture).save(file, "WEBP", quality=82, method=4)
    return file.getvalue()


def is_image(data: bytes, side: int) -> bool:
    """Whether this is a whole WebP file of one square picture of that side."""
    if data[:4] != b"RIFF" or len(data) != 8 + int.from_bytes(data[4:8], "little"):
        return False
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as picture:
            if picture.size != (side, side) or getattr(picture, "is_animated", False):
                return False
            picture.load()
    except Exception:  # Pillow raises anything at all for a damaged file
        return False
    return True
