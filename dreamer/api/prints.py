"""Prints: a small dream, enlarged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dreamer.api.changes import PrintSettings, WalkChanges
from dreamer.api.notebook import watched
from dreamer.api.regions import OneRegion
from dreamer.api.request import photo_and_pipeline
from dreamer.api.values import AnyNetwork, Device, Precision, Result, Returns, given
from dreamer.engine.modes import plain_modes
from dreamer.engine.step import Step
from dreamer.errors import Interrupted
from dreamer.image import Picture, resize
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.pipeline.dream import Dream
from dreamer.pipeline.enlarging import PROOF, Enlargement
from dreamer.recipes.arguments import check
from dreamer.recipes.preset import Preset


@overload
def enlarge(
    photo: Picture, *, size: int, returns: Literal["pil"] = "pil", **settings: Unpack[PrintSettings]
) -> Image.Image: ...
@overload
def enlarge(photo: Picture, *, size: int, returns: Literal["tensor"], **settings: Unpack[PrintSettings]) -> Tensor: ...
@overload
def enlarge(
    photo: Picture, *, size: int, returns: Literal["array"], **settings: Unpack[PrintSettings]
) -> NDArray[Any]: ...
@plain_modes()
def enlarge(
    photo: Picture,
    *,
    size: int,
    proof: int = PROOF,
    preset: str | Path | Preset | None = None,
    network: AnyNetwork | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: Picture | None = None,
    regions: Sequence[OneRegion] | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    fetch: bool = False,
    steps: int | None = None,
    max_pixels: int = MAX_PIXELS,
    returns: Returns = "pil",
    on_step: Callable[[Step], None] | None = None,
    **changes: Unpack[WalkChanges],
) -> Result:
    """Dream over a photo for paper: the dream of `dreamer print`, which has the motifs of a small one, drawn finer.

    Args:
        photo: As for `dream`.
        size: Long side of the print in pixels; it may be larger than the photo.
        proof: Long side of the small dream, `dream(photo, size=proof)`, in pixels.
        steps: Number of steps in each octave of the small dream.
        returns: As for `dream`; an array has 16 bits.
        on_step: Called with a `Step` after each step above the proof; its `picture()` is that of the octave so far.
        **changes: As for `dream`. All others are as for `dream`, too.

    Returns:
        The print.

    Raises:
        DreamerError: The photo cannot be read, the print has no room in memory, or the recipe has mistakes.
        Interrupted: Ctrl-C, or a notebook's stop button; its `picture` is the print as the last octave has left it.
    """
    check(returns=returns, on_step=on_step, max_pixels=max_pixels, size_=size, proof=proof)
    named = (network, weights, layer, guide, regions, device, precision, tile, fetch, steps, max_pixels)
    source, pipeline = photo_and_pipeline(photo, preset, changes, *named)
    way = Enlargement.planned(pipeline, source, size, proof, in_files=False)
    left = [torch.zeros(1, 3, 1, 1)]

    def made(change: Tensor) -> Result:
        large = source.deep().resized(max(way.size))
        return given(Dream(large, way.strong(resize(change, way.size)), way.machine), returns)

    def store(number: int, change: Tensor) -> None:
        left[:] = [change]

    try:
        with watched(on_step) as watching:
            store(-1, way.proof(source.resized(max(way.first.size))))
            return made(way.drawn(left[0], on_step=watching, on_octave=store))
    except KeyboardInterrupt:
        raise Interrupted(made(left[0])) from None
