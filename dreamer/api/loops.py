"""Seamless loops over a photo, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Unpack, overload

from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dreamer.api.changes import LoopSettings, WalkChanges
from dreamer.api.frames import frames_given
from dreamer.api.looks import rate_of
from dreamer.api.regions import OneRegion
from dreamer.api.request import photo_and_pipeline
from dreamer.api.values import AnyNetwork, Device, Precision, Result, Returns
from dreamer.engine.modes import plain_modes
from dreamer.engine.step import Step
from dreamer.errors import collect_problems, quoted, reported_together
from dreamer.image import Picture
from dreamer.pipeline.demand import MAX_PIXELS
from dreamer.recipes.arguments import check, is_whole
from dreamer.recipes.preset import Preset
from dreamer.videos.clip.state import MemoryStore
from dreamer.videos.loop import MOST_SEEDS
from dreamer.videos.loop.loop import FPS, SECONDS, SEEDS, Loop
from dreamer.videos.walk.walk import frame_count, settled
from dreamer.videos.zoom.scene import SIZE


@overload
def loop(
    photo: Picture, *, returns: Literal["pil"] = "pil", **settings: Unpack[LoopSettings]
) -> Iterator[Image.Image]: ...
@overload
def loop(photo: Picture, *, returns: Literal["tensor"], **settings: Unpack[LoopSettings]) -> Iterator[Tensor]: ...
@overload
def loop(photo: Picture, *, returns: Literal["array"], **settings: Unpack[LoopSettings]) -> Iterator[NDArray[Any]]: ...
@plain_modes()
def loop(
    photo: Picture,
    *,
    seconds: float = SECONDS,
    fps: float | str | Fraction = FPS,
    seeds: int = SEEDS,
    preset: str | Path | Preset | None = None,
    network: AnyNetwork | None = None,
    weights: str | Path | None = None,
    layer: str | None = None,
    guide: Picture | None = None,
    regions: Sequence[OneRegion] | None = None,
    size: int | None = None,
    device: Device = "auto",
    precision: Precision = "auto",
    tile: int | None = None,
    fetch: bool = False,
    steps: int | None = None,
    max_pixels: int = MAX_PIXELS,
    returns: Returns = "pil",
    on_step: Callable[[int, Step], None] | None = None,
    **changes: Unpack[WalkChanges],
) -> Iterator[Result]:
    """Loop over a photo without a seam: dreams come and go over it, and after the last frame the first fits again.

    Args:
        photo: As for `dream`.
        seconds: Length of the loop.
        fps: Frames per second.
        seeds: How many dreams come and go, from 1 to 12; a single one grows and fades.
        size: Long side of the frames in pixels; by default the photo's, at most 1280.
        on_step: Called with the number of the dream that is being made, and a `Step`.
        **changes: A recipe's keys. All others are as for `dream`.

    Returns:
        An iterator of the frames, as `returns` says, arrays in 8 bits.

    Raises:
        DreamerError: At once, with every mistake.
        Interrupted: As for `dream`, while a dream is made; its `picture` is what is being dreamt.
    """
    with reported_together() as problems:
        with collect_problems(problems):
            check(returns=returns, on_step_=on_step, max_pixels=max_pixels, size=size, seconds=seconds)
        if not is_whole(seeds) or not 1 <= seeds <= MOST_SEEDS:
            problems.append(f"seeds: {quoted(seeds)} is not a whole number from 1 to {MOST_SEEDS}")
        with collect_problems(problems):
            rate = rate_of(fps)
    named = (network, weights, layer, guide, regions, device, precision, tile, fetch, steps, max_pixels)
    source, pipeline = photo_and_pipeline(photo, preset, changes, *named)
    image = source.resized(size or min(SIZE, max(source.width, source.height))).image()
    (pipeline,) = settled([pipeline], image, names=["photo"])
    told = on_step or (lambda number, step: None)
    made = Loop(image, pipeline, frame_count(seconds, rate), int(seeds), told)
    return frames_given(made.pictures(MemoryStore()), returns)
